"""Parquet files as pyarrow writes them, and what is in them: run in this folder, with pyarrow 26 and numpy."""

import pyarrow as pa, pyarrow.parquet as pq, numpy as np, json

rng = np.random.default_rng(7)


def table(n, nulls=False, f=np.float64, i=np.int64, repeat=False):
    def col():
        v = np.round(-rng.random(n) * 200, 4)
        if repeat:
            v = np.round(v / 40) * 40
        return v.astype(f)

    cols = {}
    for name in ["policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps"]:
        v = col()
        if nulls and name.startswith("ref"):
            mask = rng.random(n) < 0.3
            cols[name] = pa.array(v, mask=mask)
        else:
            cols[name] = pa.array(v)
    for name in ["chosen_length", "rejected_length"]:
        cols[name] = pa.array(rng.integers(1, 400, n).astype(i))
    cols["prompt"] = pa.array([f"prompt {k}" for k in range(n)])
    return pa.table(cols)


def req(t):
    return t.cast(pa.schema([pa.field(f.name, f.type, nullable=False) for f in t.schema]))


specs = {
    "v1-snappy-dictionary": (table(16, repeat=True), dict(data_page_version="1.0")),
    "v1-plain-required": (
        req(table(40)),
        dict(data_page_version="1.0", compression="none", use_dictionary=False, row_group_size=25),
    ),
    "v1-nulls-gzip": (
        table(120, nulls=True),
        dict(compression="gzip", use_dictionary=False, data_page_size=512, write_batch_size=32),
    ),
    "v1-zstd-float-int32": (
        table(100, f=np.float32, i=np.int32, nulls=True, repeat=True),
        dict(compression="zstd", write_page_checksum=True),
    ),
    "v2-split-delta": (
        table(150, nulls=True, f=np.float32, i=np.int32),
        dict(
            data_page_version="2.0",
            use_dictionary=False,
            compression="brotli",
            column_encoding={
                "policy_chosen_logps": "BYTE_STREAM_SPLIT",
                "policy_rejected_logps": "BYTE_STREAM_SPLIT",
                "ref_chosen_logps": "BYTE_STREAM_SPLIT",
                "ref_rejected_logps": "PLAIN",
                "chosen_length": "DELTA_BINARY_PACKED",
                "rejected_length": "DELTA_BINARY_PACKED",
                "prompt": "DELTA_BYTE_ARRAY",
            },
        ),
    ),
    "v2-int64-delta": (
        req(table(150)),
        dict(
            data_page_version="2.0",
            use_dictionary=False,
            compression="snappy",
            column_encoding={
                "chosen_length": "DELTA_BINARY_PACKED",
                "rejected_length": "DELTA_BINARY_PACKED",
            },
        ),
    ),
    "v2-dictionary-none": (
        table(60, nulls=True, repeat=True),
        dict(data_page_version="2.0", compression="none", row_group_size=25),
    ),
    "v1-lz4": (table(40, nulls=True, repeat=True), dict(compression="lz4", use_dictionary=False)),
    "half": (table(30, f=np.float16), dict()),
    "uint8": (table(30, i=np.uint8), dict()),
}
out = {}
for k, (t, o) in specs.items():
    pq.write_table(t, f"{k}.parquet", **o)
    out[k] = {c: t[c].to_pylist() for c in t.column_names if c != "prompt"}
json.dump(out, open("expected.json", "w"), separators=(",", ":"))

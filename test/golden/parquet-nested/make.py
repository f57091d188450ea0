"""Preference data with nested columns as real writers write them, and what is in them: run in this folder, with pyarrow 26,
duckdb 2.0 and polars 2.1."""

import json

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

call = pa.struct([("name", pa.string()), ("arguments", pa.map_(pa.string(), pa.int64()))])
message = pa.struct([("role", pa.string()), ("content", pa.string()), ("tool_calls", pa.list_(call))])
schema = pa.schema(
    [
        ("id", pa.int64()),
        ("prompt", pa.list_(message)),
        ("chosen", pa.list_(message)),
        ("rejected", pa.list_(message)),
        ("grid", pa.list_(pa.list_(pa.int32()))),
        ("meta", pa.struct([("source", pa.string()), ("score", pa.struct([("mean", pa.float64())]))])),
        ("safe", pa.bool_()),
        ("counts", pa.map_(pa.int32(), pa.list_(pa.string()))),
    ]
)


def rows(n):
    """Every way of being absent: null, empty, null within, deep within."""
    out = []
    for k in range(n):
        calls = [None, [], [{"name": f"f{k % 3}", "arguments": {"x": k, "y": None}}], [{"name": None, "arguments": {}}, None]][k % 4]
        said = {"role": "assistant", "content": None if k % 7 == 3 else f"Answer {k} ✓ " + "very " * (k % 5), "tool_calls": calls}
        out.append(
            {
                "id": k,
                "prompt": None if k % 11 == 5 else [{"role": "user", "content": f"What is {k % 9}?", "tool_calls": None}] * (k % 4),
                "chosen": [said] * (1 + k % 3),
                "rejected": [None, said][: 1 + k % 2],
                "grid": [None, [], [None], [[]], [[k, None], [], None, [1, 2, 3]]][k % 5],
                "meta": [None, {"source": None, "score": None}, {"source": "web", "score": {"mean": None}}, {"source": "book", "score": {"mean": k / 8}}][k % 4],
                "safe": [True, False, None][k % 3],
                "counts": [None, {}, {1: ["a", None], 2: None, 3: []}][k % 3],
            }
        )
    return out


expected = {}


def plain(value):
    """Maps with keys of text are objects, others lists of keys and values."""
    if isinstance(value, dict):
        if value and all(isinstance(key, int) for key in value):
            return [{"key": k, "value": plain(v)} for k, v in value.items()]
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def expect(name, data):
    """Files of pyarrow have the first of `rows`, those of the others of `few`."""
    done = [plain(row) for row in data]
    for row in done:
        if row.get("counts") == {}:
            row["counts"] = []
    kind = "few" if name.startswith(("duckdb", "polars")) else "rows"
    if len(done) >= len(expected.get(kind, [])):
        expected[kind] = done


def arrow(name, n, **options):
    data = rows(n)
    table = pa.Table.from_pylist(data, schema=schema)
    pq.write_table(table, f"{name}.parquet", **options)
    expect(name, data)


arrow("v1-snappy", 40)
arrow("v1-plain-small-pages", 60, use_dictionary=False, data_page_size=64, write_batch_size=4, compression="none")
arrow("v2-zstd-groups", 60, data_page_version="2.0", compression="zstd", row_group_size=7)
arrow("v2-gzip-small-pages", 60, data_page_version="2.0", compression="gzip", data_page_size=64, write_batch_size=4)
arrow("v1-brotli", 30, compression="brotli", use_compliant_nested_type=False)
arrow("v2-lz4-delta", 30, data_page_version="2.0", compression="lz4", use_dictionary=False, column_encoding={
    "id": "DELTA_BINARY_PACKED", "safe": "RLE", "chosen.list.element.content": "DELTA_BYTE_ARRAY",
    "rejected.list.element.content": "DELTA_LENGTH_BYTE_ARRAY", "meta.score.mean": "BYTE_STREAM_SPLIT"})

few = [{k: v for k, v in row.items() if k not in ("counts",)} for row in rows(30)]
for row in few:
    for side in ("prompt", "chosen", "rejected"):
        for said in row[side] or []:
            if said:
                said.pop("tool_calls", None)
fewer = pa.Table.from_pylist(few, schema=pa.schema([f for f in schema if f.name not in ("prompt", "chosen", "rejected", "counts")] + [
    pa.field(side, pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))) for side in ("prompt", "chosen", "rejected")]))
for name, options in {"duckdb-v1-snappy": "", "duckdb-v2-zstd": ", codec 'zstd', parquet_version v2", "duckdb-gzip": ", codec 'gzip'"}.items():
    con = duckdb.connect()
    con.register("fewer", fewer)
    con.execute(f"copy (select * from fewer) to '{name}.parquet' (format parquet{options})")
    expect(name, fewer.to_pylist())
frame = pl.from_arrow(fewer)
for codec in ("zstd", "snappy", "lz4"):
    frame.write_parquet(f"polars-{codec}.parquet", compression=codec)
    expect(f"polars-{codec}", fewer.to_pylist())
frame.write_parquet("polars-groups.parquet", row_group_size=4, data_page_size=64)
expect("polars-groups", fewer.to_pylist())

json.dump(expected, open("expected.json", "w"), ensure_ascii=False, separators=(",", ":"))

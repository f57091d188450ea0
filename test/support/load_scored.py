"""What Python's own readers make of files that dpo-kernels has written, and the columns that TRL's trainers keep; as JSON."""

import ast
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import datasets
import pyarrow.parquet as pq


def loaded(path):
    kind = "parquet" if path.endswith(".parquet") else "json"
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset(kind, data_files=path, split="train", cache_dir=cache)
        return {"features": {name: str(feature) for name, feature in rows.features.items()}, "rows": rows.to_list()}


def trainer(name):
    """Of a trainer's source, since importing it takes PyTorch: the columns that it keeps, and how it is asked for precomputed ones."""
    folder = Path(importlib.util.find_spec("trl").submodule_search_locations[0])
    methods = {
        node.name: node
        for node in ast.walk(ast.parse((folder / "trainer" / f"{name}_trainer.py").read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    lists = [node for node in ast.walk(methods["_set_signature_columns_if_needed"]) if isinstance(node, ast.List)]
    return {
        "columns": [element.value for element in lists[-1].elts],
        "arguments": [argument.arg for argument in methods["_precompute_ref_logps"].args.args],
    }


asked = json.load(sys.stdin)
json.dump(
    {
        "loaded": [loaded(path) for path in asked["load"]],
        "same": [str(pq.read_table(a).to_pylist()) == str(pq.read_table(b).to_pylist()) for a, b in asked["compare"]],
        "trainers": {name: trainer(name) for name in ("dpo", "kto")},
    },
    sys.stdout,
)

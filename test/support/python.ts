// A Python that has what the tests of the service and of score's files need: the one that scripts/setup-python.mjs makes, or the machine's.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const own = fileURLToPath(new URL("../../build/python/bin/python", import.meta.url));

export const python = existsSync(own) ? own : "python3";

const imports = (interpreter: string, ...names: readonly string[]): boolean =>
  spawnSync(interpreter, ["-c", `import ${names.join(", ")}`], { stdio: "ignore" }).status === 0;

const modules = (...names: readonly string[]): boolean => imports(python, ...names);

const how = "node scripts/setup-python.mjs, which wants python3 and its venv";

/** Whether a module is there, without what it needs to be imported. */
const has = (name: string): boolean =>
  spawnSync(python, ["-c", `import importlib.util as u; assert u.find_spec("${name}")`], { stdio: "ignore" }).status ===
  0;

/** How to get what the clients of examples/edge/ import; empty where it is there. */
export const noPython = modules("requests", "safetensors.numpy") ? "" : `no requests, safetensors: ${how}`;

/** How to get what reads the files of score; empty where it is there. TRL is read, not run. */
export const noDatasets = modules("datasets", "pyarrow.parquet") && has("trl") ? "" : `no datasets, trl: ${how}`;

export const noSchemathesis = modules("schemathesis") ? "" : `no schemathesis: ${how}`;

const ownPeft = fileURLToPath(new URL("../../build/python-peft/bin/python", import.meta.url));

/** A Python with PEFT, which wants PyTorch. */
export const pythonWithPeft = existsSync(ownPeft) ? ownPeft : "python3";

export const noPeft = imports(pythonWithPeft, "peft") ? "" : `no peft: ${how} and Debian's python3-torch`;

// The script of a benchmark in Node, Deno and Bun: `bench-run.js <address of the run>`.

import { ours } from "../bench.ts";
import { measureOrder } from "./measure.ts";
import { runtimeOf } from "./place.ts";
import { runFor } from "./remote.ts";

const { process } = globalThis as unknown as { process: { argv: readonly string[]; exit(): never } };
// A library of machine code is the same in every runtime.
const lacks: Record<string, string> =
  runtimeOf().name === "node" ? {} : { "onnxruntime-node": "machine code, which Node's results have" };
await runFor(process.argv[2] ?? "", (order, ...told) => measureOrder(order, { ours, lacks }, ...told));
// What a peer has left running, such as threads, does not keep it.
process.exit();

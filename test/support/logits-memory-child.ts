// A process of its own for logits-memory.test.ts, run with --expose-gc: what calls with 64 MB of logits take beyond the caller's
// arrays and their results, and what 2,000 calls leave behind. Prints a line of JSON.

import { readFileSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { createJs, createWasm } from "../../src/index.ts";
import type { RunningMean } from "../../src/plan/running-mean.ts";
import type { Backend, Floats, LogitsLossOptions, LogitsLossResult, Reference } from "../../src/types.ts";
import { layouts, randomLogits } from "./logits.ts";
import { rawOf } from "./logits-results.ts";
import { type Scene, scenes } from "./logits-scenes.ts";

/** Bytes. */
export interface Figures {
  scene: string;
  /** What buffers held at their worst beyond inputs and results, those that are garbage already included. */
  buffers: number;
  /** Growth of the live JavaScript heap, seen between the forward and the backward pass. */
  heap: number;
  /** Growth of the process beyond the results, at its worst; undefined where the system does not say. */
  resident: number | undefined;
  /** Tokens that count. */
  counted: number;
}

export interface Report {
  figures: Figures[];
  /** Growth over 2,000 calls. */
  kept: number;
  /** WebAssembly memory of the backend, before and after all. */
  wasm: [number, number];
}

const { gc } = globalThis as unknown as { gc: () => void };

/** Buffers that are garbage are freed by a thread of their own. */
async function collect(): Promise<void> {
  for (let k = 0; k < 3; k++) {
    gc();
    await setImmediate();
  }
}

// Linux: the greatest size since it was last reset.
function residentBytes(field: "VmHWM" | "VmRSS"): number | undefined {
  try {
    const [, kilobytes] = readFileSync("/proc/self/status", "utf8").match(`${field}:\\s+(\\d+) kB`) ?? [];
    return kilobytes ? 1024 * Number(kilobytes) : undefined;
  } catch {
    return undefined;
  }
}

function resetResident(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Elsewhere than on Linux there is nothing to reset, and nothing is read.
  }
}

// In place throughout: copies that are garbage would be counted.
function fill<A extends Float32Array | Uint16Array | Int32Array | Uint8Array>(
  array: A,
  valueAt: (at: number) => number,
): A {
  for (let at = 0; at < array.length; at++) array[at] = valueAt(at);
  return array;
}

function makeCall({ pairs, length, vocab, counting, type = "f32", isPacked, reference = "logits" }: Scene) {
  const count = 2 * pairs * length;
  const floats = (): Floats =>
    type === "f32"
      ? fill(new Float32Array(count * vocab), (i) => (i % 251) / 64)
      : { bf16: fill(new Uint16Array(count * vocab), (i) => 0x3f00 + (i % 251)) };
  const ids = () => fill(new Int32Array(count), (at) => at % vocab);
  const tokens = isPacked
    ? { pairs, offsets: fill(new Int32Array(2 * pairs + 1), (r) => r * length), targets: ids() }
    : {
        pairs,
        length,
        inputIds: ids(),
        completionMask: fill(new Uint8Array(count), (at) => Number(at % length >= length - counting)),
      };
  const given: Reference = reference === "logits" ? { logits: floats() } : { logps: new Float64Array(2 * pairs) };
  return { tokens, vocab, logits: floats(), reference: given };
}

/** A running mean whose reading, which comes between the forward and the backward pass, calls `look`. */
const watcher = (look: () => void): RunningMean => ({
  get mean() {
    look();
    return 0;
  },
  count: 0,
  update: () => 0,
  toJSON: () => ({ mean: 0, count: 0 }),
});

function bytesOfResult(result: LogitsLossResult, isInPlace: boolean): number {
  const { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards } = result;
  const pairs = [losses, gradChosen, gradRejected, chosenRewards, rejectedRewards];
  const arrays = [...pairs, result.logps, result.tokenLogps, result.logsumexp];
  const small = arrays.reduce((sum, array) => sum + (array?.byteLength ?? 0), 0);
  const gradient = isInPlace ? 0 : (rawOf(result.gradLogits) as Uint16Array).byteLength;
  return small + gradient;
}

async function measure(backend: Backend, name: string, scene: Scene): Promise<Figures> {
  const options: LogitsLossOptions = { lossType: "bco_pair", ...scene.options };
  backend.logitsLoss(makeCall({ ...scene, pairs: 1, vocab: 8 }), options);
  const call = makeCall(scene);
  await collect();
  resetResident();
  const before = process.memoryUsage();
  const resident = residentBytes("VmRSS");
  let [halfway, heap] = [0, 0];
  const look = (): void => {
    if (halfway > 0) return;
    halfway = process.memoryUsage().external;
    gc();
    heap = process.memoryUsage().heapUsed;
  };
  const result = backend.logitsLoss(call, { ...options, rewardShift: watcher(look) });
  const most = Math.max(halfway, process.memoryUsage().external);
  const highest = residentBytes("VmHWM");
  const all = bytesOfResult(result, options.inPlace ?? false);
  const rows = 2 * scene.pairs * (scene.isPacked ? scene.length : scene.counting);
  const isDense = scene.isPacked || scene.counting > 0.9 * scene.length;
  return {
    scene: name,
    buffers: most - before.external - all,
    heap: heap - before.heapUsed,
    // Fresh pages of a gradient take no room before they are written: where many rows do not count this says nothing.
    resident: highest !== undefined && resident !== undefined && isDense ? highest - resident - all : undefined,
    counted: rows,
  };
}

/** Growth of heap and buffers over 2,000 calls of mixed sizes. */
async function keptAfterCalls(backend: Backend): Promise<number> {
  const shapes = [1, 2, 3, 5].flatMap((pairs) =>
    [1, 7, 64, 300].map((vocab) => ({ pairs, length: 4, vocab, seed: vocab })),
  );
  const calls = shapes.flatMap((shape) => [
    layouts.padded(randomLogits(shape)).batch,
    layouts.packed(randomLogits(shape)).batch,
  ]);
  const run = (count: number): void => {
    for (let k = 0; k < count; k++) {
      const call = calls[k % calls.length] as (typeof calls)[number];
      backend.logitsLoss(call, { metrics: k % 2 ? "full" : "basic", lossType: k % 3 ? "sigmoid" : "aot" });
      backend.sequenceLogps(call);
    }
  };
  const used = async (): Promise<number> => {
    await collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  run(1000);
  const before = await used();
  run(2000);
  return (await used()) - before;
}

const [name] = process.argv.slice(2);
const backend = name === "js" ? createJs() : await createWasm({ relaxed: name === "wasm relaxed", reserve: 64 });
const { buffer } = backend.allocate("u8", 1);
const wasm = buffer.byteLength;
const figures: Figures[] = [];
for (const [scene, details] of Object.entries(scenes)) figures.push(await measure(backend, scene, details));
const kept = await keptAfterCalls(backend);
const report: Report = { figures, kept, wasm: [wasm, buffer.byteLength] };
console.log(JSON.stringify(report));

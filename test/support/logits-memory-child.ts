// A process of its own for logits-memory.test.ts, run with --expose-gc: calls with 64 MB of logits, and what they take beyond the
// caller's arrays and their results. Prints a line of JSON.

import { createJs, createWasm } from "../../src/index.ts";
import type { Backend, Floats, LogitsLossOptions, LogitsLossResult, Reference, RunningMean } from "../../src/types.ts";

export interface Figures {
  /** Bytes of buffers that a call held at its worst, beyond inputs and results; those that are garbage already included. */
  buffers: number;
  /** Live bytes of the JavaScript heap between the forward and the backward pass, beyond those before the call. */
  heap: number;
  /** Growth of the process's greatest size. */
  resident: number;
  /** WebAssembly memory of the backend. */
  wasm: number;
  counted: number;
}

interface Scene {
  pairs: number;
  length: number;
  vocab: number;
  /** Of `length` positions this many count, at the end of each row. */
  counting: number;
  type?: "f32" | "bf16";
  isPacked?: boolean;
  reference?: "logits" | "logps";
  options?: LogitsLossOptions;
}

export const scenes: Readonly<Record<string, Scene>> = {
  "a million tokens, policy and reference as logits": { pairs: 512, length: 1025, vocab: 16, counting: 1024 },
  "a million packed tokens, in place": {
    pairs: 512,
    length: 1024,
    vocab: 16,
    counting: 1024,
    isPacked: true,
    reference: "logps",
    options: { inPlace: true },
  },
  "WPO and all metrics": {
    pairs: 512,
    length: 513,
    vocab: 32,
    counting: 512,
    options: { weighting: "wpo", metrics: "full" },
  },
  "one token in sixteen counts": { pairs: 512, length: 1024, vocab: 16, counting: 64 },
  "128 rows of 131072": { pairs: 8, length: 9, vocab: 131072, counting: 8 },
  "128 rows of 131072 in bfloat16, gradient float32": {
    pairs: 8,
    length: 9,
    vocab: 131072,
    counting: 8,
    type: "bf16",
    options: { gradType: "f32" },
  },
  "128 rows of 131072 in bfloat16, in place": {
    pairs: 8,
    length: 9,
    vocab: 131072,
    counting: 8,
    type: "bf16",
    options: { inPlace: true },
  },
};

const gc = (globalThis as { gc?: () => void }).gc as () => void;

function makeCall({ pairs, length, vocab, counting, type = "f32", isPacked, reference = "logits" }: Scene) {
  const count = 2 * pairs * length;
  const floats = (): Floats => {
    if (type === "bf16") return { bf16: Uint16Array.from({ length: count * vocab }, (_, i) => 0x3f00 + (i % 251)) };
    return new Float32Array(count * vocab).map((_, i) => (i % 251) / 64);
  };
  const completionMask = new Uint8Array(count).map((_, at) => (at % length >= length - counting ? 1 : 0));
  const tokens = isPacked
    ? {
        pairs,
        offsets: Int32Array.from({ length: 2 * pairs + 1 }, (_, r) => r * length),
        targets: new Int32Array(count).map((_, at) => at % vocab),
      }
    : { pairs, length, inputIds: new Int32Array(count).map((_, at) => at % vocab), completionMask };
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

const bytesOfResult = (result: LogitsLossResult, inPlace: boolean): number => {
  const { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards, logps, tokenLogps, logsumexp, gradLogits } =
    result;
  const gradient = ArrayBuffer.isView(gradLogits) ? gradLogits : (Object.values(gradLogits)[0] as Uint16Array);
  const arrays = [losses, gradChosen, gradRejected, chosenRewards, rejectedRewards, logps, tokenLogps, logsumexp];
  return arrays.reduce((sum, array) => sum + (array?.byteLength ?? 0), inPlace ? 0 : gradient.byteLength);
};

function measure(backend: Backend, scene: Scene, wasm: number): Figures {
  const options = { lossType: "bco_pair", ...scene.options };
  backend.logitsLoss(makeCall({ ...scene, pairs: 1, vocab: 8 }), options);
  const call = makeCall(scene);
  gc();
  const before = process.memoryUsage();
  const { maxRSS } = process.resourceUsage();
  let most = 0;
  let heap = 0;
  let isFirst = true;
  const look = (): void => {
    if (!isFirst) return;
    isFirst = false;
    most = process.memoryUsage().external;
    gc();
    heap = process.memoryUsage().heapUsed;
  };
  const result = backend.logitsLoss(call, { ...options, rewardShift: watcher(look) });
  const resident = 1024 * (process.resourceUsage().maxRSS - maxRSS);
  const results = bytesOfResult(result, scene.options?.inPlace ?? false);
  const after = process.memoryUsage().external;
  const rows = 2 * scene.pairs * (scene.isPacked ? scene.length : scene.counting);
  return {
    // Halfway results may not all be made yet: what is held then is judged as if they were not there.
    buffers: Math.max(after - before.external - results, most - before.external - results),
    heap: heap - before.heapUsed,
    resident: resident - results,
    wasm,
    counted: rows,
  };
}

const [name = "js", scene = ""] = process.argv.slice(2);
if (scene in scenes) {
  const backend = name === "js" ? createJs() : await createWasm({ relaxed: name === "wasm relaxed", reserve: 64 });
  const wasm = name === "js" ? 0 : backend.allocate("u8", 64).buffer.byteLength;
  console.log(JSON.stringify(measure(backend, scenes[scene] as Scene, wasm)));
}

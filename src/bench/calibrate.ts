// What the machine can do at most, on one thread: bytes read, and multiply-adds. Measured among the rounds of every case.

import { type RoundsOptions, type Schedule, warmUp } from "./rounds.ts";

/*
(module
  (memory (import "" "m") 1)
  (func (export "read") (param $at i32) (param $end i32) (result f32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (loop $next
      (local.set $a (f32x4.pmax (local.get $a) (v128.load offset=0 (local.get $at))))
      (local.set $b (f32x4.pmax (local.get $b) (v128.load offset=16 (local.get $at))))
      (local.set $c (f32x4.pmax (local.get $c) (v128.load offset=32 (local.get $at))))
      (local.set $d (f32x4.pmax (local.get $d) (v128.load offset=48 (local.get $at))))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
    … the largest of them)
  (func (export "multiply") (param $n i32) (param $x f32) (param $y f32) (result f32)
    … twelve sums $s, more than the latency of an addition takes to be hidden, from 0 to 11
    (loop $next
      … of each, plain: (local.set $s (f32x4.add (f32x4.mul (local.get $s) (local.get $x)) (local.get $y)))
      … relaxed: (local.set $s (f32x4.relaxed_madd (local.get $x) (local.get $y) (local.get $s)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    … their sum))
*/
export const calibrationModules = {
  plain:
    "AGFzbQEAAAABDgJgAn9/AX1gA399fQF9AgcBAAFtAgABAwMCAAEHEwIEcmVhZAAACG11bHRpcGx5AAEK4gMCcgEEewNAIAIgAP0ABAD96wEhAiADIAD9" +
    "AAQQ/esBIQMgBCAA/QAEIP3rASEEIAUgAP0ABDD96wEhBSAAQcAAaiIAIAFJDQALIAIgA/3rASAEIAX96wH96wEhAiAC/R8AIAL9HwGXIAL9HwIgAv0f" +
    "A5eXC+wCAQ57IAH9EyEDIAL9EyEEQwAAAAD9EyEFQwAAgD/9EyEGQwAAAED9EyEHQwAAQED9EyEIQwAAgED9EyEJQwAAoED9EyEKQwAAwED9EyELQwAA" +
    "4ED9EyEMQwAAAEH9EyENQwAAEEH9EyEOQwAAIEH9EyEPQwAAMEH9EyEQA0AgBSAD/eYBIAT95AEhBSAGIAP95gEgBP3kASEGIAcgA/3mASAE/eQBIQcg" +
    "CCAD/eYBIAT95AEhCCAJIAP95gEgBP3kASEJIAogA/3mASAE/eQBIQogCyAD/eYBIAT95AEhCyAMIAP95gEgBP3kASEMIA0gA/3mASAE/eQBIQ0gDiAD" +
    "/eYBIAT95AEhDiAPIAP95gEgBP3kASEPIBAgA/3mASAE/eQBIRAgAEEBayIADQALIAUgBv3kASAH/eQBIAj95AEgCf3kASAK/eQBIAv95AEgDP3kASAN" +
    "/eQBIA795AEgD/3kASAQ/eQB/R8ACw==",
  relaxed:
    "AGFzbQEAAAABDgJgAn9/AX1gA399fQF9AgcBAAFtAgABAwMCAAEHEwIEcmVhZAAACG11bHRpcGx5AAEKvgMCcgEEewNAIAIgAP0ABAD96wEhAiADIAD9" +
    "AAQQ/esBIQMgBCAA/QAEIP3rASEEIAUgAP0ABDD96wEhBSAAQcAAaiIAIAFJDQALIAIgA/3rASAEIAX96wH96wEhAiAC/R8AIAL9HwGXIAL9HwIgAv0f" +
    "A5eXC8gCAQ57IAH9EyEDIAL9EyEEQwAAAAD9EyEFQwAAgD/9EyEGQwAAAED9EyEHQwAAQED9EyEIQwAAgED9EyEJQwAAoED9EyEKQwAAwED9EyELQwAA" +
    "4ED9EyEMQwAAAEH9EyENQwAAEEH9EyEOQwAAIEH9EyEPQwAAMEH9EyEQA0AgAyAEIAX9hQIhBSADIAQgBv2FAiEGIAMgBCAH/YUCIQcgAyAEIAj9hQIh" +
    "CCADIAQgCf2FAiEJIAMgBCAK/YUCIQogAyAEIAv9hQIhCyADIAQgDP2FAiEMIAMgBCAN/YUCIQ0gAyAEIA79hQIhDiADIAQgD/2FAiEPIAMgBCAQ/YUC" +
    "IRAgAEEBayIADQALIAUgBv3kASAH/eQBIAj95AEgCf3kASAK/eQBIAv95AEgDP3kASAN/eQBIA795AEgD/3kASAQ/eQB/R8ACw==",
} as const;

export type CalibrationKind = keyof typeof calibrationModules;
export type Limit = "bandwidth" | CalibrationKind;

/** A loop of calibration, and what one run of it does: bytes read, or multiply-adds. */
export interface Calibration {
  readonly of: Limit;
  readonly amount: number;
  readonly schedule: Schedule;
}

const PAGE = 65_536;
const TURNS = 20_000;
/** Four numbers of twelve sums. */
const WIDTH = 4 * 12;

interface Loops {
  readonly read: (at: number, end: number) => number;
  readonly multiply: (n: number, x: number, y: number) => number;
}

/** How a place that compiles no bytes comes by the modules. */
export type LoadCalibration = (kind: CalibrationKind) => Promise<WebAssembly.Module>;

const compiled: LoadCalibration = (kind) =>
  WebAssembly.compile(Uint8Array.from(atob(calibrationModules[kind]), (character) => character.charCodeAt(0)));

/** The loops that run here, warm. `bytes` is read at once: more than fits into a core's cache. */
export async function calibrations(
  bytes: number,
  clock: Pick<RoundsOptions, "now" | "step">,
  module: LoadCalibration = compiled,
): Promise<Calibration[]> {
  const plain = await load(() => module("plain"), bytes);
  if (!plain) return [];
  const relaxed = await load(() => module("relaxed"), PAGE);
  const loops: (readonly [Limit, number, () => number])[] = [
    ["bandwidth", bytes, () => plain.read(0, bytes)],
    ["plain", TURNS * WIDTH, () => plain.multiply(TURNS, 0.999, 0.001)],
    ...(relaxed ? [["relaxed", TURNS * WIDTH, () => relaxed.multiply(TURNS, 1, 0.001)] as const] : []),
  ];
  const all: Calibration[] = [];
  for (const [of, amount, run] of loops) {
    all.push({ of, amount, schedule: await warmUp({ run, results: () => ({}) }, clock) });
  }
  return all;
}

/** Undefined where the engine does not know the instructions, or may not compile bytes. */
async function load(module: () => Promise<WebAssembly.Module>, bytes: number): Promise<Loops | undefined> {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  // Pages that nobody has written to are one and the same, which lies in a cache.
  new Float32Array(memory.buffer).fill(1);
  try {
    return (await WebAssembly.instantiate(await module(), { "": { m: memory } })).exports as unknown as Loops;
  } catch {
    return undefined;
  }
}

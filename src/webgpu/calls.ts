// The calls of the WebGPU backend on one device: what lies on the GPU is made to stand among the arrays, then every call is
// that of the other backends, or stays on the GPU.

import { computePairs as computeOnHost } from "../backend/js.ts";
import { linearLoss } from "../backend/linear-loss.ts";
import { logitsLogps, logitsLoss } from "../backend/logits-loss.ts";
import { checkPairLoss, setShift, toResult } from "../backend/pair-loss.ts";
import { runLater } from "../backend/token-stage.ts";
import { kernelOf } from "../backend/wasm-pairs.ts";
import { BackendError, KindError, ParamError } from "../errors.ts";
import { scanValues } from "../pairs.ts";
import { kindOf, type Plan } from "../plan.ts";
import type { TokenList } from "../tokens.ts";
import type {
  Floats,
  LinearBatch,
  LinearLossOptions,
  LogitsBatch,
  LogitsLossOptions,
  PairLogps,
  Reference,
} from "../types.ts";
import type { Gpu } from "./commands.ts";
import { bytesOf } from "./floats.wgsl.ts";
import { asFloats, fetchArrays, isGpuArray } from "./given.ts";
import { createLinear } from "./linear.ts";
import { computePairs } from "./pairs.ts";
import { STORAGE_USAGE } from "./pool.ts";
import { residentLogitsLoss, residentLogps } from "./resident-logits.ts";
import { residentPairLoss } from "./resident-pairs.ts";
import { createRows } from "./rows.ts";
import { type LossBatch, standIn, withIds } from "./stand-in.ts";
import type {
  GpuArray,
  GpuLogitsBatch,
  GpuLogitsLossOptions,
  GpuPairLogps,
  GpuPairLossOptions,
  GpuSequenceLogpsOptions,
} from "./types.ts";

// A loss of the caller's own has no shader: the function itself runs here, as it does beside logits.
const missingShader = ({ terms }: Plan): string | undefined =>
  terms.find(({ loss }) => !("likelihood" in loss || kernelOf(loss)))?.loss.id;

function checkShaders(plan: Plan): void {
  const id = missingShader(plan);
  if (id === undefined) return;
  throw new BackendError("unavailable", `${id}: a loss of one's own has no shader; expected readback true, got false`);
}

// Beside logits the pair stage is next to nothing: B numbers, in float64, on the way between the two passes.
const pairEngine = { compute: computeOnHost, scan: scanValues };

const asFloat32 = (bytes: ArrayBuffer): Float32Array => new Float32Array(bytes);

/** `readback`, and the options that every backend knows; what is no object is left to its checks. */
function readOptions<O extends { readback?: boolean | undefined }>(given: O) {
  if (typeof given !== "object" || given === null) return { readback: true, options: given as Omit<O, "readback"> };
  const { readback = true, ...options } = given;
  if (typeof readback === "boolean") return { readback, options };
  throw new KindError(`readback: expected true or false, got ${kindOf(readback)}`);
}

export async function pairLoss(gpu: Gpu, given: GpuPairLogps, all: GpuPairLossOptions) {
  const { readback, options } = readOptions(all);
  if (!readback) return residentPairLoss(gpu, given, options, checkShaders);
  const names = given && typeof given === "object" ? Object.keys(given) : [];
  const pairs = (await fetchArrays(gpu, given, names, asFloat32)) as PairLogps;
  const job = checkPairLoss(pairEngine, pairs, options);
  const commit = setShift(job, scanValues);
  const onHost = missingShader(job.plan) !== undefined;
  const result = toResult(job, onHost ? computeOnHost(job) : await computePairs(gpu, job, options.signal));
  commit();
  options.onProgress?.(job.pairs, job.pairs);
  return result;
}

export async function sequenceLogps(gpu: Gpu, given: GpuLogitsBatch, all: GpuSequenceLogpsOptions) {
  const { readback, options } = readOptions(all);
  if (!readback) {
    const { batch, ids } = standIn(given, options, false);
    return residentLogps(gpu, batch, options, ids);
  }
  const { batch } = standIn(await withIds(gpu, given), options, false);
  const rows = createRows(gpu, options?.signal);
  return runLater(logitsLogps(rows, batch, options)).finally(rows.release);
}

export async function lossOfLogits(gpu: Gpu, given: LossBatch, all: GpuLogitsLossOptions) {
  const { readback, options } = readOptions(all);
  if (!readback) {
    const { batch, ids, list } = standIn(given, options, true);
    const made = gradientOf(gpu, given, options, (list?.positions ?? 0) * batch.vocab);
    const result = residentLogitsLoss(
      gpu,
      batch,
      withGradient(options, made ?? options.out?.gradLogits, list, batch),
      ids,
      checkShaders,
    );
    if (!made) return result;
    const destroy = (): void => {
      result.destroy();
      made.buffer.destroy();
    };
    return { ...result, destroy };
  }
  const to = options?.out?.gradLogits;
  const { batch, list } = standIn(await withIds(gpu, given), options, isGpuArray(to));
  const rows = createRows(gpu, options?.signal);
  const engines = { logits: rows, linear: createLinear(gpu, options?.signal) };
  const steps = logitsLoss(engines, pairEngine, batch, withGradient(options, to, list, batch));
  const result = await runLater(steps).finally(rows.release);
  const over = options?.inPlace ? given.logits : to;
  return isGpuArray(over) ? { ...result, gradLogits: over } : result;
}

/** The options with a gradient on the GPU standing among the arrays. */
function withGradient(
  options: Omit<GpuLogitsLossOptions, "readback">,
  to: Floats | GpuArray | undefined,
  list: TokenList | undefined,
  { vocab }: LogitsBatch,
): LogitsLossOptions {
  if (!isGpuArray(to) || !list) return options as LogitsLossOptions;
  return { ...options, out: { ...options.out, gradLogits: asFloats(to, "out.gradLogits", list.positions * vocab) } };
}

// Where nothing is read back the gradient needs a buffer: one of its own, unless the caller says where.
function gradientOf(gpu: Gpu, { logits }: LossBatch, options: GpuLogitsLossOptions, length: number) {
  const { inPlace, gradType, out } = options;
  if (inPlace || out?.gradLogits !== undefined) {
    const place = inPlace ? logits : out?.gradLogits;
    if (isGpuArray(place)) return undefined;
    throw new ParamError("unused-option", "gradLogits: expected a GPU buffer with readback false, got an array");
  }
  const type = gradType === "f32" ? "f32" : typeOf(logits);
  const size = Math.max(4, Math.ceil((length * bytesOf(type)) / 4) * 4);
  return { buffer: gpu.device.createBuffer({ size, usage: STORAGE_USAGE }), type };
}

function typeOf(logits: Floats | GpuArray): "f32" | "f16" | "bf16" {
  if (isGpuArray(logits)) return logits.type ?? "f32";
  if ("bf16" in logits) return "bf16";
  return "f16" in logits || (logits as Float32Array).BYTES_PER_ELEMENT === 2 ? "f16" : "f32";
}

type HeadBatch = LinearBatch & { reference?: Reference | undefined };

export async function lossOfHidden(gpu: Gpu, batch: HeadBatch, options: LinearLossOptions) {
  const rows = createRows(gpu, options?.signal);
  const engines = { logits: rows, linear: createLinear(gpu, options?.signal) };
  return runLater(linearLoss(engines, pairEngine, batch, options)).finally(rows.release);
}

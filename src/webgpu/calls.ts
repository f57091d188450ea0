// The calls of the WebGPU backend on one device: what lies on the GPU is made to stand among the arrays, then every call is
// that of the other backends, or stays on the GPU.

import { computePairs as computeOnHost } from "../backend/js.ts";
import { linearLoss } from "../backend/linear-loss.ts";
import { logitsLogps, logitsLoss } from "../backend/logits-loss.ts";
import { checkPairLoss, setShift, toResult } from "../backend/pair-loss.ts";
import { runLater } from "../backend/token-stage.ts";
import { kernelOf } from "../backend/wasm-pairs.ts";
import { BackendError, KindError } from "../errors.ts";
import { scanValues } from "../pairs.ts";
import { kindOf, type Plan, planLosses } from "../plan.ts";
import type { LogitsBatch, PairLogps, SequenceLogpsOptions } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { createEngines } from "./engines.ts";
import { fetchArrays } from "./given.ts";
import { type GradientPlaces, placeGradients, type TokenCall } from "./gradients.ts";
import { type LossCall, type LossName, openers } from "./loss-jobs.ts";
import { computePairs } from "./pairs.ts";
import { residentLogpsOf, residentTokenLoss } from "./resident-calls.ts";
import { residentPairLoss } from "./resident-pairs.ts";
import { lossInOne } from "./resident-tokens.ts";
import { type Fields, fetchSmall, fieldsOf, hasGpuArray, isOnGpu, standIn } from "./stand-in.ts";
import type {
  GpuHeadBatch,
  GpuLinearLossOptions,
  GpuLogitsBatch,
  GpuLogitsLossOptions,
  GpuPairLogps,
  GpuPairLossOptions,
  GpuReference,
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

// A running mean takes this batch in before its losses are known.
const needsHost = (plan: Plan): boolean => missingShader(plan) !== undefined || plan.shift !== undefined;

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
  if (!readback) return residentLogpsOf(gpu, given, options);
  const { batch } = await standInOf<LogitsBatch, SequenceLogpsOptions>("sequenceLogps", gpu, given, options);
  const engines = createEngines(gpu, options?.signal);
  return runLater(logitsLogps(engines.logits, batch, options)).finally(engines.release);
}

type GivenLogits = GpuLogitsBatch & { reference?: GpuReference | undefined };

export const lossOfLogits = (gpu: Gpu, given: GivenLogits, all: GpuLogitsLossOptions): Promise<object> =>
  tokenLoss("logitsLoss", gpu, given, all);

export const lossOfHidden = (gpu: Gpu, given: GpuHeadBatch, all: GpuLinearLossOptions): Promise<object> =>
  tokenLoss("linearLoss", gpu, given, all);

// The generators of every backend, for what cannot go in one submission.
const steps = { logitsLoss, linearLoss };

async function tokenLoss(
  name: LossName,
  gpu: Gpu,
  given: object,
  all: GpuLogitsLossOptions | GpuLinearLossOptions,
): Promise<object> {
  const { readback, options } = readOptions(all);
  if (!readback) return residentTokenLoss(gpu, name, given, options as LossCall["options"], checkShaders);
  const stood = await standInOf<never, LossCall["options"]>(name, gpu, given, options);
  const { batch, options: own, kept } = stood;
  const plan = planLosses(own);
  if (needsHost(plan)) {
    const engines = createEngines(gpu, own?.signal);
    const result = await runLater<object>(steps[name](engines, pairEngine, batch, own)).finally(engines.release);
    return { ...result, ...kept };
  }
  const { job, results, release } = openers[name]({ gpu, plan, options: own, there: {} }, batch);
  const result = await lossInOne(gpu, job, own, pairEngine).finally(release);
  return { ...result, ...results, ...kept };
}

/** A call whose results are read back, as every backend's checks know it. Without a buffer it is the very call, its refusals too. */
async function standInOf<B, O>(
  call: TokenCall,
  gpu: Gpu,
  given: object,
  options: object,
): Promise<{ batch: B } & Omit<GradientPlaces<O>, "make">> {
  const fetched = await fetchSmall(gpu, given, true);
  const { out } = fieldsOf(options);
  if (!isOnGpu(fetched) && !hasGpuArray(out)) return { batch: fetched as B, options: options as O, kept: {} };
  const stood = standIn<B>(fetched, options as Fields);
  return { batch: stood.batch, ...placeGradients<O>(call, fetched, options as Fields, stood) };
}

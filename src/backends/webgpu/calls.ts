// The calls of the WebGPU backend on one device: what lies on the GPU is made to stand among the arrays, then every call is
// that of the other backends, or stays on the GPU.

import { linearLoss } from "../../calls/linear-loss.ts";
import { logitsLoss } from "../../calls/logits-loss.ts";
import { pairLoss as pairLossSteps } from "../../calls/pair-loss.ts";
import { sequenceLogps as sequenceLogpsSteps } from "../../calls/sequence-logps.ts";
import { runLater } from "../../calls/steps.ts";
import type { PairEngine } from "../../engine.ts";
import { BackendError, KindError } from "../../errors.ts";
import { readLinearBatch } from "../../inputs/linear.ts";
import { readLogitsBatch, readLogpsOptions } from "../../inputs/logits.ts";
import { readLossOptions } from "../../inputs/options.ts";
import { type ReadPairs, readPairs, scanValues } from "../../inputs/pairs.ts";
import { readOut } from "../../inputs/token-results.ts";
import { kernelOf } from "../../kernels/pairs.ts";
import { kindOf } from "../../messages.ts";
import { type Plan, planLosses } from "../../plan/plan.ts";
import type { LogitsBatch, SequenceLogpsOptions } from "../../types.ts";
import { computePairs as computeOnHost } from "../js/js.ts";
import { fetchArrays } from "./device-arrays.ts";
import { type Fields, fetchSmall, fieldsOf, hasGpuArray, isOnGpu, standIn } from "./device-inputs.ts";
import { createEngines } from "./engines.ts";
import { type GradientPlaces, gradientNames, placeGradients, type TokenCall } from "./gradients.ts";
import { type LossCall, type LossName, openers } from "./loss-jobs.ts";
import { computePairs } from "./pairs.ts";
import { residentLogpsOf, residentTokenLoss } from "./resident-calls.ts";
import { type ReadGpuPairs, residentPairLoss } from "./resident-pairs.ts";
import { lossInOne } from "./resident-tokens.ts";
import type { Gpu } from "./submit.ts";
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
  terms.find(({ loss }) => !(loss.kind === "likelihood" || kernelOf(loss)))?.loss.id;

function checkShaders(plan: Plan): void {
  const id = missingShader(plan);
  if (id === undefined) return;
  throw new BackendError("unavailable", `${id}: a loss of one's own has no shader; expected readback true, got false`);
}

// A running mean takes this batch in before its losses are known.
const needsHost = (plan: Plan): boolean => missingShader(plan) !== undefined || plan.shift !== undefined;

// Beside logits the pair stage is next to nothing: B numbers, in float64, on the way between the two passes.
const onHost: PairEngine<void> = { compute: computeOnHost, scan: scanValues };

const asFloat32 = (bytes: ArrayBuffer): Float32Array => new Float32Array(bytes);

/** `readback`, and the options that every backend knows, all read once. */
function splitOptions<O extends object>(given: O) {
  const { readback = true, ...options } = given as O & { readback?: unknown };
  if (typeof readback === "boolean") return { readback, options };
  throw new KindError(`readback: expected true or false, got ${kindOf(readback)}`);
}

// Results that are not named are left out: what is there decides where they go.
function withOut<O extends { out?: unknown }>(options: O, gradients: readonly string[]): O {
  if (options.out === undefined) return options;
  const named = Object.entries(readOut(options.out, gradients)).filter(([, array]) => array !== undefined);
  return { ...options, out: Object.fromEntries(named) };
}

export async function pairLoss(gpu: Gpu, given: GpuPairLogps, all: GpuPairLossOptions) {
  const { readback, options } = splitOptions(readLossOptions(all, ["readback"]));
  const read = readPairs(given) as ReadGpuPairs;
  if (!readback) return residentPairLoss(gpu, read, options, checkShaders);
  const pairs = (await fetchArrays(gpu, read, Object.keys(read), asFloat32)) as ReadPairs;
  const engine: PairEngine = {
    ...onHost,
    compute: (job, sums) =>
      missingShader(job.plan) === undefined ? computePairs(gpu, job, sums, options.signal) : onHost.compute(job, sums),
  };
  return runLater(pairLossSteps({ pairs: engine }, pairs, options));
}

export async function sequenceLogps(gpu: Gpu, given: GpuLogitsBatch, all: GpuSequenceLogpsOptions) {
  const { readback, options } = splitOptions(readLogpsOptions(all, () => ["readback"]));
  const read = readLogitsBatch(given) as unknown as GpuLogitsBatch;
  if (!readback) return residentLogpsOf(gpu, read, options);
  const { batch } = await standInOf<LogitsBatch, SequenceLogpsOptions>("sequenceLogps", gpu, read, options);
  const engine = createEngines(gpu, onHost, options?.signal);
  return runLater(sequenceLogpsSteps(engine, batch, options)).finally(engine.release);
}

type GivenLogits = GpuLogitsBatch & { reference?: GpuReference | undefined };

export const lossOfLogits = (gpu: Gpu, given: GivenLogits, all: GpuLogitsLossOptions): Promise<object> =>
  tokenLoss("logitsLoss", gpu, given, all);

export const lossOfHidden = (gpu: Gpu, given: GpuHeadBatch, all: GpuLinearLossOptions): Promise<object> =>
  tokenLoss("linearLoss", gpu, given, all);

const readers = { logitsLoss: readLogitsBatch, linearLoss: readLinearBatch };

// The generators of every backend, for what cannot go in one submission.
const steps = { logitsLoss, linearLoss };

async function tokenLoss(
  name: LossName,
  gpu: Gpu,
  unread: object,
  all: GpuLogitsLossOptions | GpuLinearLossOptions,
): Promise<object> {
  const { readback, options: read } = splitOptions(readLossOptions(all, ["readback"]));
  const given = readers[name](unread);
  const options = withOut(read, gradientNames[name]);
  if (!readback) return residentTokenLoss(gpu, name, given, options as LossCall["options"], checkShaders);
  const stood = await standInOf<never, LossCall["options"]>(name, gpu, given, options);
  const { batch, options: own, kept } = stood;
  const plan = planLosses(own);
  if (needsHost(plan)) {
    const engine = createEngines(gpu, onHost, own?.signal);
    const result = await runLater<object>(steps[name](engine, batch, own)).finally(engine.release);
    return { ...result, ...kept };
  }
  const { job, results, outs, release } = openers[name]({ gpu, plan, options: own, there: {} }, batch);
  const result = await lossInOne(gpu, job, { ...own, out: outs.out }, onHost).finally(release);
  return { ...result, ...outs.named, ...results, ...kept };
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

// The calls of the WebGPU backend on one device. Each is read, checked and opened in one way; then its results are read back, or
// stay on the GPU.

import { runLater } from "../../calls/bind-later.ts";
import { pairLoss as pairLossSteps } from "../../calls/pair-loss.ts";
import { tokenLogps } from "../../calls/sequence-logps.ts";
import { gradientsOf, slopesOf, tokenGradients } from "../../calls/sequence-logps-grad.ts";
import { tokenLoss } from "../../calls/token-loss.ts";
import { unpairedLoss as unpairedLossSteps } from "../../calls/unpaired-loss.ts";
import { computePairs as computeOnHost } from "../../cpu/evaluate.ts";
import type { PairEngine } from "../../engine.ts";
import { BackendError, KindError, ParamError } from "../../errors.ts";
import { scanValues } from "../../inputs/columns.ts";
import type { AnyFloats } from "../../inputs/floats.ts";
import { type AnyLinearBatch, readLinearBatch } from "../../inputs/linear.ts";
import { type AnyLogitsBatch, readLogitsBatch } from "../../inputs/logits.ts";
import { readLossOptions } from "../../inputs/options.ts";
import { type ReadPairs, readPairs } from "../../inputs/pairs.ts";
import { type AnySequencesBatch, readLogpsOptions, readSequencesBatch } from "../../inputs/sequence-logps.ts";
import { type AnyGradBatch, readGradInput, readGradOptions } from "../../inputs/sequence-logps-grad.ts";
import type { LossOptions } from "../../inputs/token-loss.ts";
import { readOut } from "../../inputs/token-results.ts";
import { unitOf } from "../../inputs/token-rows.ts";
import { readRows } from "../../inputs/unpaired.ts";
import type { Unit } from "../../losses/kinds.ts";
import { kindOf } from "../../messages.ts";
import { kernelOf } from "../../plan/kernel-of.ts";
import { isOfRows, type Plan, planLosses } from "../../plan/plan.ts";
import type {
  LogpsBuffers,
  PairBuffers,
  RowLogps,
  SequenceLogpsGradOptions,
  UnpairedLossOptions,
} from "../../types.ts";
import { asFloat32, asInt32, fetchArrays, mixedArrays, residentArrays } from "./device-arrays.ts";
import { checkResident, reportLater, withOutputs } from "./outputs.ts";
import { computePairs } from "./pairs.ts";
import { type ReadGpuPairs, residentPairLoss } from "./resident-pairs.ts";
import type { Gpu } from "./submit.ts";
import { type OpenLoss, openers, openLogps, openLogpsGrad } from "./token-jobs.ts";
import {
  passesApart,
  passesInOne,
  readTokens,
  residentGradients,
  residentLogps,
  residentLoss,
} from "./token-losses.ts";
import type {
  GpuHeadBatch,
  GpuLinearLossOptions,
  GpuLogitsBatch,
  GpuLogitsLossOptions,
  GpuLossInputs,
  GpuPairLogps,
  GpuPairLossOptions,
  GpuRange,
  GpuSequenceLogpsGradOptions,
  GpuSequenceLogpsOptions,
  GpuSequencesBatch,
} from "./types.ts";

// A loss of the caller's own has no shader: its function runs on the CPU.
const missingShader = ({ terms }: Plan): string | undefined =>
  terms.find(({ loss }) => !(loss.kind === "likelihood" || kernelOf(loss)))?.loss.id;

function checkShaders(plan: Plan): void {
  const id = missingShader(plan);
  if (id === undefined) return;
  throw new BackendError("unavailable", `${id}: a loss of your own has no shader; expected readback true, got false`);
}

/** The pair stage on the CPU, in float64: of losses without a shader, and beside logits, where B numbers cost next to nothing. */
const pairsOnHost: PairEngine<void> = { compute: computeOnHost, scan: scanValues };

/** `readback`, and the options that every backend knows. */
function splitOptions<O extends object>(given: O) {
  const { readback = true, ...options } = given as O & { readback?: unknown };
  if (typeof readback === "boolean") return { readback, options };
  throw new KindError(`readback: expected true or false, got ${kindOf(readback)}`);
}

export async function pairLoss(gpu: Gpu, given: GpuPairLogps, all: GpuPairLossOptions) {
  const { readback, options } = splitOptions(readLossOptions(all, ["readback"]));
  const read = readPairs(given) as ReadGpuPairs;
  if (!readback) return residentPairLoss(gpu, read, options, checkShaders);
  const pairs = (await fetchArrays(gpu, read, Object.keys(read), asFloat32)) as ReadPairs;
  return runLater(pairLossSteps({ pairs: pairsOn(gpu, options.signal) }, pairs, options));
}

export const unpairedLoss = (gpu: Gpu, given: RowLogps, options: UnpairedLossOptions) =>
  runLater(unpairedLossSteps({ pairs: pairsOn(gpu, options.signal) }, readRows(given), options));

/** The pair stage on the GPU, or here where a loss has no shader. */
const pairsOn = (gpu: Gpu, signal: AbortSignal | undefined): PairEngine => ({
  scan: scanValues,
  compute: (job, sums) =>
    missingShader(job.plan) === undefined ? computePairs(gpu, job, sums, signal) : pairsOnHost.compute(job, sums),
});

/**
 * The batch with its small arrays read back from the GPU: masks and offsets, which decide what is dispatched; with `all` also ids
 * and the reference's log-probs, which results that are read back are computed from.
 */
async function fetchSmall<B extends AnyLogitsBatch | AnyLinearBatch | AnySequencesBatch>(
  gpu: Gpu,
  batch: B,
  all: boolean,
): Promise<B> {
  const { tokens, reference } = batch;
  const ids = "offsets" in tokens && tokens.offsets !== undefined ? "targets" : "inputIds";
  const names = Object.keys(tokens).filter((name) => all || name !== ids);
  const fetched = { ...batch, tokens: await fetchArrays(gpu, tokens, names, asInt32) };
  if (!all || reference === undefined) return fetched;
  return { ...fetched, reference: await fetchArrays(gpu, reference, ["logps"], asFloat32) };
}

export async function sequenceLogps(gpu: Gpu, given: GpuSequencesBatch, all: GpuSequenceLogpsOptions) {
  const { readback, options } = splitOptions(readLogpsOptions(all, () => ["readback"]));
  const batch = await fetchSmall(gpu, readSequencesBatch(given) as AnySequencesBatch, readback);
  if (readback) {
    const { job, checked, release } = openLogps(gpu, mixedArrays, batch, options);
    const read = (sums: Parameters<typeof readTokens>[3]) =>
      readTokens(gpu, job.policy, job.list, sums, options.signal);
    return runLater(tokenLogps({ ...checked }, read, options)).finally(release);
  }
  const plan = planLosses({ referenceFree: true });
  checkResident(plan, options, []);
  return withOutputs(gpu, (outputs) => {
    const { job, release } = openLogps(gpu, residentArrays(outputs.make), batch, options);
    const result = released(release, () => residentLogps(gpu, job, plan, outputs));
    reportLater(options, job.list.rows.length, result.done);
    return result;
  });
}

const notResident = (what: string): ParamError =>
  new ParamError("unused-option", `${what}: expected readback true, got false: no such results stay on the GPU`);

export async function sequenceLogpsGrad(
  gpu: Gpu,
  given: { batch: unknown; gradients: unknown },
  all: GpuSequenceLogpsGradOptions,
): Promise<object> {
  const { readback, options } = splitOptions(readGradOptions(all, () => ["readback"]));
  const batch = await fetchSmall(gpu, readGradInput(given) as AnyGradBatch, readback);
  if (!readback) return gradientsLeft(gpu, batch, options);
  const { checked, policy, release } = openLogpsGrad(gpu, mixedArrays, batch, options);
  const passes = passesApart(gpu, { policy, list: checked.list, reference: undefined }, options.signal);
  await runLater(tokenGradients(checked, passes, options)).finally(release);
  return gradientsOf(checked);
}

function gradientsLeft(gpu: Gpu, batch: AnyGradBatch, given: SequenceLogpsGradOptions): Promise<object> {
  const names = Object.values(gradientNames).flat();
  const options = { ...given, out: given.out === undefined ? undefined : namedResults(given.out, names) };
  checkResident(planLosses({ referenceFree: true }), options, names);
  return withOutputs(gpu, (outputs) => {
    const { checked, policy, ids, release } = openLogpsGrad(gpu, residentArrays(outputs.make), batch, options);
    const { list, vocab, ofLogits, ofHead } = checked;
    const slopes = slopesOf(checked, options.gradScale ?? 1);
    const left = released(release, () => residentGradients(gpu, { list, vocab, ids, policy }, slopes, outputs));
    reportLater(options, list.rows.length, left.done);
    return { ...left, ...rangesOf(ofHead ? ofHead.gradients : { gradLogits: ofLogits?.gradient }) };
  });
}

type GivenLogits = GpuLogitsBatch & GpuLossInputs;

/** The gradients that the result of a loss may name. */
const gradientNames = {
  logitsLoss: ["gradLogits"],
  linearLoss: ["gradHidden", "gradWeight", "gradBias", "gradA", "gradB"],
} as const;

export async function logitsLoss(gpu: Gpu, given: GivenLogits, all: GpuLogitsLossOptions): Promise<object> {
  const read = readLogitsBatch(given) as AnyLogitsBatch;
  const { readback, options, plan } = readLoss("logitsLoss", all, unitOf(read.tokens));
  const batch = await fetchSmall(gpu, read, readback);
  const open = (reader: typeof mixedArrays) => openers.logitsLoss({ gpu, reader, batch, plan, options });
  return readback ? lossReadBack(gpu, plan, options, open) : lossLeft(gpu, options, open);
}

export async function linearLoss(gpu: Gpu, given: GpuHeadBatch, all: GpuLinearLossOptions): Promise<object> {
  const read = readLinearBatch(given) as AnyLinearBatch;
  const { readback, options, plan } = readLoss("linearLoss", all, unitOf(read.tokens));
  const batch = await fetchSmall(gpu, read, readback);
  const open = (reader: typeof mixedArrays) => openers.linearLoss({ gpu, reader, batch, plan, options });
  return readback ? lossReadBack(gpu, plan, options, open) : lossLeft(gpu, options, open);
}

/** The options of a loss, read and planned. */
function readLoss(name: keyof typeof gradientNames, all: GpuLogitsLossOptions | GpuLinearLossOptions, unit: Unit) {
  const { readback, options: read } = splitOptions(readLossOptions(all, ["readback"]));
  const plan = planLosses(read as Parameters<typeof planLosses>[0], unit, true);
  if (readback) return { readback, options: read as LossOptions, plan };
  if (unit === "row") throw notResident("tokens.rows");
  const names = gradientNames[name];
  const out = read.out === undefined ? undefined : namedResults(read.out, names);
  const options: LossOptions = { ...read, out };
  checkShaders(plan);
  checkResident(plan, options, names);
  return { readback, options, plan };
}

/** `out`, read once, with the results that it names. */
const namedResults = (out: object, gradients: readonly string[]): object =>
  Object.fromEntries(Object.entries(readOut(out, gradients)).filter(([, array]) => array !== undefined));

/** Opens a loss; its arrays are read by `reader`. */
type Open = (reader: typeof mixedArrays) => OpenLoss;

async function lossReadBack(gpu: Gpu, plan: Plan, options: LossOptions, open: Open): Promise<object> {
  const { job, rows, outs, results, release } = open(mixedArrays);
  // A running mean takes this batch in before its losses are known, and the CPU has to know its log-probs for that. Rows are few
  // numbers to send back and forth, and which of them count decides what the others' gradients are.
  const isOnHost =
    missingShader(plan) !== undefined || plan.shift !== undefined || isOfRows(plan) || job.prompts !== undefined;
  const passes = (isOnHost ? passesApart : passesInOne)(gpu, job, options.signal);
  const { reference } = job;
  const logps = reference && "logps" in reference ? reference.logps : undefined;
  const known = { ...job, rows, reference: ArrayBuffer.isView(logps) ? { logps } : undefined };
  const steps = tokenLoss({ pairs: pairsOnHost }, known, passes, plan, { ...options, out: outs.out });
  const result = await runLater(steps).finally(release);
  return { ...result, ...(outs.named as PairBuffers & LogpsBuffers), ...results };
}

function lossLeft(gpu: Gpu, options: LossOptions, open: Open): Promise<object> {
  return withOutputs(gpu, (outputs) => {
    const { job, gradients, release } = open(residentArrays(outputs.make));
    const loss = released(release, () => residentLoss(gpu, job, outputs));
    reportLater(options, job.list.rows.length, loss.done);
    return { ...loss, ...rangesOf(gradients) };
  });
}

const rangesOf = (gradients: object): Record<string, GpuRange | undefined> =>
  Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, rangeOfGradient(gradient)]));

function rangeOfGradient(gradient: AnyFloats | undefined): GpuRange | undefined {
  if (!gradient || !("buffer" in gradient)) return undefined;
  const { buffer, byteOffset: offset, byteLength: size } = gradient;
  return { buffer, offset, size };
}

// What a call borrowed can be lent again once its commands are submitted, or if they never were.
function released<T>(release: () => void, submit: () => T): T {
  try {
    return submit();
  } finally {
    release();
  }
}

// From a training to its checkpoints and back: what it was, what it has come to, and whether a checkpoint is one of it.

import { ParamError, ShapeError } from "../../errors.ts";
import { reasonIn } from "../../messages.ts";
import type { SafeTensor } from "../../safetensors/dtypes.ts";
import type { TensorToWrite } from "../../safetensors/write.ts";
import type { Tensor } from "../tensors.ts";
import type { Best, BestSoFar } from "./best.ts";
import { checkpointsIn, findCheckpoint, type Identity, removeOthers, writeCheckpoint } from "./checkpoints.ts";
import { type Recipe, stepsOf } from "./config.ts";
import { digestOfArrays } from "./digest.ts";
import type { Reached, Taken } from "./evaluation.ts";
import type { Example } from "./examples.ts";
import type { KnownLogps } from "./loss.ts";
import type { Sums } from "./metrics.ts";
import type { Parameters } from "./parameters.ts";
import type { Place, Placed } from "./place.ts";
import type { TrainReference } from "./reference.ts";
import { openStore } from "./store.ts";
import type { CheckpointOptions, TrainerOptions } from "./types.ts";

/** What a training has come to, beside its arrays. */
export interface Progress {
  step: number;
  tokens: number;
  /** Of the steps since the last log. */
  log: Sums;
  /** The last step, as long as its evaluation is still to come: one that failed, or that a signal ended, is begun again. */
  taken?: Taken | undefined;
}

interface Training {
  readonly options: TrainerOptions;
  readonly recipe: Recipe;
  readonly place: Place;
  readonly parameters: Parameters;
  readonly reference: TrainReference;
  readonly known: KnownLogps | undefined;
  /** Undefined for a stream. */
  readonly examples: readonly Example[] | undefined;
  readonly progress: Progress;
  readonly best: Best | undefined;
  readonly warn: (text: string) => void;
}

export interface Checkpoints {
  write(): Promise<void>;
}

/**
 * Goes on from the newest checkpoint where that is asked for, and writes others from then on.
 *
 * Throws    what the store throws; ParamError where others' checkpoints would be lost, or the newest is of another training
 */
export async function openCheckpoints(training: Training, given: CheckpointOptions): Promise<Checkpoints> {
  const { options, recipe, progress, warn } = training;
  const store = await openStore(given.store, "checkpoint.store");
  // What is there already is another run's, or this one's: neither is lost without a word.
  const others = options.resume ? [] : await checkpointsIn(store);
  if (others.length > 0 && !given.overwrite) refuseToOverwrite(others);
  let isOwn = others.length === 0;
  const identity = await identityOf(training);
  const found = options.resume ? await findCheckpoint(store, identity, warn) : undefined;
  if (found) {
    const { config, step, tokens, log, taken, shift, best } = found.saved;
    restoreTensors(training, found.tensors, `checkpoint-${step}.safetensors`);
    if (best) restoreBest(training, best, found.tensors);
    Object.assign(progress, { step, tokens, log, taken });
    if (shift) recipe.shift?.restore(shift);
    warnOfChanges(config, recipe.config, warn);
  }
  const keep = given.keep ?? recipe.saving.limit;
  return {
    async write() {
      const { step, tokens, log, taken } = progress;
      const state = { shift: recipe.shift?.toJSON(), best: training.best?.soFar };
      const saved = { step, tokens, log, taken, ...state, identity, config: recipe.config };
      await writeCheckpoint(store, saved, await tensorsOf(training));
      try {
        await removeOthers(store, step, isOwn ? keep : 1);
        isOwn = true;
      } catch (error) {
        // The next one removes them.
        warn(`checkpoint-${step}: written, but older ones are still there: ${reasonIn(error)}`);
      }
    },
  };
}

function refuseToOverwrite(names: readonly string[]): never {
  const there = `${names.slice(0, 3).join(", ")}${names.length > 3 ? `, … (${names.length})` : ""}`;
  throw new ParamError(
    "out-of-range",
    `checkpoint.store: expected a store without checkpoints, got one with ${there}; resume: true goes on from there, ` +
      "checkpoint.overwrite: true begins anew and removes them with its first checkpoint",
  );
}

/** Whether a step is followed by a checkpoint: every so many, at the end of each epoch, and the last; or the best ones alone. */
export function savingSteps(
  everySteps: number | undefined,
  { when, every }: Recipe["saving"],
  steps: number,
): (reached: Reached, isBest: boolean) => boolean {
  if (everySteps === undefined && when === "no") return () => false;
  if (everySteps === undefined && when === "best") return (_, isBest) => isBest;
  const interval = everySteps ?? stepsOf(every, steps);
  const byEpoch = everySteps === undefined && when === "epoch";
  return ({ step, endsEpoch }) => (byEpoch ? endsEpoch : step % interval === 0) || step === steps;
}

async function identityOf({ options, recipe, parameters, examples, reference }: Training): Promise<Identity> {
  const { vocab, hiddenSize } = options.head;
  const { batchSize, gradientAccumulationSteps, dropLast, seed, dataSeed } = recipe.train;
  const arrays = [...parameters.list.map(({ host }) => host), ...reference.start()];
  const shape = { vocab, hiddenSize, rank: options.lora?.rank, alpha: options.lora?.alpha };
  const order = {
    batchSize,
    gradientAccumulationSteps,
    dropLast,
    seed,
    dataSeed,
    shuffle: options.shuffle ?? (recipe.inOrder ? false : undefined),
  };
  const own = examples?.flatMap(arraysOf);
  return {
    model: `${JSON.stringify(shape)} ${await digestOfArrays(arrays)}`,
    examples: own && (await digestOfArrays(own)),
    order: JSON.stringify(order),
  };
}

/** All that an example is: its tokens, and what it brings beside them. */
function arraysOf({ rows, desirable, refLogps = [], rewardMargin }: Example): ArrayBufferView[] {
  const tokens = rows.flatMap(({ prompt, completion }) => [prompt, completion]);
  return [...tokens, Float64Array.of(Number(desirable), ...refLogps, rewardMargin ?? Number.NaN)];
}

/** An array that changes. */
interface Changing {
  readonly shape: readonly number[];
  readonly at: Placed;
  /** The caller's array of it. */
  readonly host?: Tensor;
}

/** The arrays that change, by the names of their tensors. */
function changing({ parameters, reference, options }: Training): Map<string, Changing> {
  const arrays = new Map<string, Changing>();
  for (const { name, values, means, host, shape } of parameters.list) {
    arrays.set(name, { shape, at: values, host });
    if (means) arrays.set(`${name}.m`, { shape, at: means.m }).set(`${name}.v`, { shape, at: means.v });
  }
  const { vocab, hiddenSize } = options.head;
  const lengths = { weight: vocab * hiddenSize, bias: vocab };
  for (const [name, at] of Object.entries(reference.moving)) {
    arrays.set(`reference.${name}`, { shape: [lengths[name as keyof typeof lengths]], at });
  }
  return arrays;
}

/** The reference's log-probs so far: they cannot be computed anew to the bit where their hidden states were not kept. */
const LOGPS = "reference_logps";

/** What the names of the best head's arrays begin with. */
const BEST = "best.";

type SafeTensors = Readonly<Record<string, SafeTensor>>;

async function tensorsOf(training: Training): Promise<Record<string, TensorToWrite>> {
  const { known, examples, best, parameters, place } = training;
  await parameters.bring();
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, { shape, at, host }] of changing(training)) {
    tensors[name] = { shape, data: host ?? (await place.read(at)) };
  }
  for (const { name, shape } of parameters.list) {
    const data = best?.kept[name];
    if (data) tensors[`${BEST}${name}`] = { shape, data };
  }
  if (!known || !examples) return tensors;
  const columns = examples[0] && known.size > 0 ? ([...known.values()][0] ?? []).length : 0;
  const data = new Float64Array(examples.length * columns).fill(Number.NaN);
  examples.forEach((example, i) => {
    data.set(known.get(example) ?? [], i * columns);
  });
  return { ...tensors, [LOGPS]: { shape: [examples.length, columns], data } };
}

function restoreTensors(training: Training, tensors: SafeTensors, file: string): void {
  const arrays = [...changing(training)].map(([name, { shape, ...array }]) => {
    const tensor = tensors[name];
    const length = shape.reduce((product, size) => product * size, 1);
    if (tensor?.dtype === "F32" && tensor.data.length === length) return { ...array, from: tensor.data as Tensor };
    const got = tensor ? `${tensor.dtype} [${tensor.shape.join(", ")}]` : "none";
    throw new ShapeError("wrong-length", `${file}: ${name}: expected F32 [${shape.join(", ")}], got ${got}`);
  });
  for (const { at, host, from } of arrays) {
    training.place.write(at, from);
    host?.set(from);
  }
  restoreLogps(training, tensors[LOGPS]);
}

/** The head at the best evaluation, where it is kept; one that is asked for and not there begins anew. */
function restoreBest({ best, parameters, recipe }: Training, soFar: BestSoFar, tensors: SafeTensors): void {
  const kept = parameters.list.flatMap(({ name, host }) => {
    const tensor = tensors[`${BEST}${name}`];
    return tensor?.dtype === "F32" && tensor.data.length === host.length
      ? [[name, tensor.data as Tensor] as const]
      : [];
  });
  if (kept.length === parameters.list.length || !recipe.best?.load) best?.restore(soFar, Object.fromEntries(kept));
}

function restoreLogps({ known, examples }: Training, tensor: SafeTensor | undefined): void {
  if (!known || !examples || tensor?.dtype !== "F64") return;
  const columns = tensor.data.length / examples.length;
  const data = tensor.data as Float64Array;
  examples.forEach((example, i) => {
    const logps = [...data.subarray(i * columns, (i + 1) * columns)];
    if (logps.length === example.rows.length && !logps.some(Number.isNaN)) known.set(example, logps);
  });
}

/** What decides which examples come next is the same; anything else may have been changed on purpose. */
function warnOfChanges(before: object, now: object, warn: (text: string) => void): void {
  const [old, own] = [before, now] as Readonly<Record<string, unknown>>[];
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [JSON.stringify(old?.[key]), JSON.stringify(own?.[key])];
    if (was !== is)
      warn(`${key}: ${was ?? "absent"} in the checkpoint, ${is ?? "absent"} now, which counts from here on`);
  }
}

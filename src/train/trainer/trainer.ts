// The training: step after step the loss of its batches, the norm, the update, and then whatever is due.

import { createBackend } from "../../backends/select.ts";
import { ParamError } from "../../errors.ts";
import { checkSignal } from "../../inputs/options.ts";
import { reasonIn } from "../../messages.ts";
import type { AsyncBackend, Backend } from "../../types.ts";
import { lrSchedule } from "../schedule.ts";
import { openBest } from "./best.ts";
import { readRecipe, stepsOf } from "./config.ts";
import { batchesInOrder, evaluate, evaluationSteps, type Taken } from "./evaluation.ts";
import { type Example, readerOf, refuseNone } from "./examples.ts";
import { feedOfList, feedOfStream, readAll } from "./feed.ts";
import { filesOf } from "./files.ts";
import { type KnownLogps, openLoss } from "./loss.ts";
import { addStep, meansOf, meansOfParts, noSums } from "./metrics.ts";
import { openPlace } from "./open-place.ts";
import { readOptions } from "./options.ts";
import { openParameters } from "./parameters.ts";
import type { Place } from "./place.ts";
import { openReference } from "./reference.ts";
import { openCheckpoints, type Progress, savingSteps } from "./resume.ts";
import { openShelf } from "./shelf.ts";
import { computedStates, type FirstEpoch, keptStates, type Layout, type StateSource, type States } from "./states.ts";
import { openStore } from "./store.ts";
import type { Trainer, TrainerOptions, TrainStep } from "./types.ts";

const refuseAborted = (signal: unknown): void => {
  if (signal !== undefined) checkSignal(signal);
};

/** Throws    KindError, ParamError, ShapeError for options, configuration and examples; BackendError */
export async function openTrainer(given: TrainerOptions): Promise<Trainer> {
  const options = readOptions(given);
  if (options.backend) return openOn(options.backend, options);
  const own = await createBackend({ for: "linear" });
  try {
    return await openOn(own, options);
  } catch (error) {
    // Nobody else could end its workers.
    await own.dispose();
    throw error;
  }
}

async function openOn(backend: Backend | AsyncBackend, options: TrainerOptions): Promise<Trainer> {
  const place = await openPlace(backend);
  try {
    return await openIn(place, backend, options);
  } catch (error) {
    place.release();
    throw error;
  }
}

async function openIn(place: Place, backend: Backend | AsyncBackend, options: TrainerOptions): Promise<Trainer> {
  const { head, backbone, signal, onProgress, onWarning = console.warn } = options;
  const warnings: string[] = [];
  const warn = (text: string): void => {
    warnings.push(text);
    onWarning(text);
  };
  const recipe = readRecipe(options, warn);
  if (options.lora?.dropout) warn("lora.dropout: not followed: the adapter sees the same hidden states as the head");
  const { train, sync, shift } = recipe;
  const reader = readerOf(recipe, options.reference === "precomputed", head.vocab);

  const read = async (examples: TrainerOptions["examples"], name: string): Promise<Example[]> => {
    const { kept, dropped } = await readAll(examples, reader, name);
    refuseNone(kept, name, dropped);
    if (dropped > 0) warn(`${name}: ${dropped} dropped, whose prompts fill max_length, as TRL does`);
    return kept;
  };
  const { examples } = options;
  const feed =
    typeof examples === "function"
      ? feedOfStream(examples, reader, recipe, options.shuffle)
      : feedOfList(await read(examples, "examples"), recipe, options.shuffle ?? !recipe.inOrder);
  const { steps, list } = feed;
  const parameters = openParameters(head, options.lora, recipe, place);
  const reference = openReference(options, recipe, parameters, place);
  await place.ready();
  const layout: Layout = {
    hiddenSize: head.hiddenSize,
    padding: { padToMultipleOf: recipe.collate.padToMultipleOf ?? 1, padTokenId: recipe.collate.padTokenId ?? 0 },
    withPrompts: recipe.readsPrompts,
    groups: recipe.ofRows ? (recipe.mismatched ? [[0], [1]] : [[0]]) : [[0, 1]],
  };
  const known: KnownLogps | undefined =
    recipe.precompute && list && typeof reference.head === "object" ? new Map() : undefined;
  const { keep } = options;
  const ofLoss = { backend, place, recipe, head, parameters, reference: reference.head, known, layout, keep, signal };
  const loss = openLoss(ofLoss);
  /** Computes the reference's log-probs of a batch where they are kept and not there yet. */
  const learn = async (batch: readonly Example[], own: readonly States[]): Promise<void> => {
    if (!known || batch.every((example) => known.has(example))) return;
    const logps = await loss.referenceLogps(batch, own);
    batch.forEach((example, i) => {
      if (!known.has(example)) known.set(example, logps[i] as number[]);
    });
  };

  const budget = { left: options.cache?.maxBytes ?? 256 << 20 };
  const cacheStore = options.cache?.store && (await openStore(options.cache.store, "cache.store"));
  const shelves: ReturnType<typeof openShelf>[] = [];
  const statesOf = (evaluation: boolean, first: FirstEpoch | undefined): StateSource => {
    const source = computedStates(backbone, layout, { evaluation, signal });
    if (!first) return source;
    const shelf = cacheStore ? openShelf(cacheStore, evaluation ? "hidden-eval" : "hidden", warn) : undefined;
    if (shelf) shelves.push(shelf);
    return keptStates(source, layout, first, budget, shelf);
  };
  // Where no example comes twice nothing is kept.
  const states = statesOf(false, list && steps > list.stepsPerEpoch ? list : undefined);
  const evaluated =
    options.evalExamples && batchesInOrder(await read(options.evalExamples, "evalExamples"), train.evalBatchSize);
  const evaluation = evaluated && {
    batches: evaluated.batches,
    states: statesOf(true, evaluated),
    loss,
    learn,
    check: () => refuseAborted(signal),
    onBatch: (done: number, total: number) => onProgress?.({ stage: "evaluate", done, total }),
  };

  const rate = lrSchedule(steps, train);
  const { logging } = recipe;
  const logEvery = stepsOf(logging.every, steps);
  const isEvalStep = evaluationSteps(options.evalSteps, recipe.evaluation, steps, logEvery);
  const progress: Progress = { step: 0, tokens: 0, log: noSums() };
  const best = evaluation && recipe.best && openBest(recipe.best, parameters, warn);
  const opened = { options, recipe, place, parameters, reference, known, examples: list?.examples };
  const training = { ...opened, progress, best, warn };
  const checkpoints = options.checkpoint && (await openCheckpoints(training, options.checkpoint));
  const isSaveStep = savingSteps(options.checkpoint?.everySteps, recipe.saving, steps);
  const isAtEnd = (): boolean => progress.step >= steps && !progress.taken;
  if (isAtEnd()) best?.load();

  async function lossOfStep(batches: readonly (readonly Example[])[], isFirst: boolean) {
    const parts: Record<string, number>[] = [];
    let tokens = 0;
    for (const [k, batch] of batches.entries()) {
      refuseAborted(signal);
      const own = await states.of(batch, isFirst);
      await learn(batch, own);
      const part = { gradScale: 1 / batches.length, accumulate: k > 0, evaluation: false };
      const outcome = await loss.of(batch, own, part);
      parts.push({ loss: outcome.loss, ...outcome.metrics });
      tokens += outcome.tokens;
      onProgress?.({ stage: "train", done: k + 1, total: batches.length });
    }
    return { parts, tokens };
  }

  async function takeStep(): Promise<Taken> {
    const { batches, isFirst, epoch, endsEpoch } = await feed.at(progress.step);
    const before = shift?.toJSON();
    const learning_rate = rate(progress.step);
    const take = async () => {
      const { parts, tokens } = await lossOfStep(batches, isFirst);
      return { parts, tokens, grad_norm: await parameters.update(learning_rate, progress.step) };
    };
    const { grad_norm, parts, tokens } = await take().catch((error: unknown) => {
      // The step was none: it may be tried again.
      if (before) shift?.restore(before);
      throw error;
    });
    progress.step++;
    progress.tokens += tokens;
    const { step } = progress;
    if (sync && step % sync.every === 0) await reference.sync(sync.alpha);

    const metrics = meansOfParts(parts);
    addStep(progress.log, metrics["loss"] as number, parts);
    const last = { grad_norm, learning_rate, epoch, num_tokens: progress.tokens };
    const isDue =
      logging.when === "steps" ? step % logEvery === 0 : logging.when === "epoch" && (endsEpoch || step === steps);
    const isLogStep = isDue || (step === 1 && logging.first);
    const log = isLogStep ? { ...meansOf(progress.log), ...last } : undefined;
    if (isLogStep) progress.log = noSums();
    progress.taken = { step, epoch, endsEpoch, metrics: { ...metrics, ...last }, log };
    return progress.taken;
  }

  async function advance(): Promise<TrainStep | undefined> {
    if (isAtEnd()) return undefined;
    refuseAborted(signal);
    const taken = progress.taken ?? (await takeStep());
    const { step, epoch, metrics, log } = taken;
    const evaluated = evaluation && isEvalStep(taken) ? await evaluate(evaluation, progress.tokens) : undefined;
    const isBest = evaluated !== undefined && (await best?.see(step, evaluated)) === true;
    progress.taken = undefined;
    if (checkpoints && isSaveStep(taken, isBest)) {
      // The one before is still there, and so is what was trained.
      await checkpoints.write().catch((error: unknown) => warn(`checkpoint-${step}: not written: ${reasonIn(error)}`));
    }
    if (step === steps) best?.load();
    return { step, steps, epoch, metrics: { ...metrics, ...evaluated }, log };
  }

  // One step at a time, whoever asks.
  let running: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = running.then(work);
    running = turn.catch(() => undefined);
    return turn;
  };
  const dispose = async (): Promise<void> => {
    await running;
    // Whoever asked for the steps one by one has not stopped iterating.
    await parameters.bring().catch(() => undefined);
    place.release();
    try {
      await feed.close();
      for (const shelf of shelves) await shelf.clear();
    } finally {
      if (!options.backend) await backend.dispose();
    }
  };
  return {
    get step() {
      return progress.step;
    },
    steps,
    warnings,
    get best() {
      return best?.soFar;
    },
    head: parameters.head,
    evaluate: () =>
      inTurn(async () => {
        if (evaluation) return evaluate(evaluation, progress.tokens);
        throw new ParamError("missing-input", "evalExamples: expected with evaluate, got nothing");
      }),
    checkpoint: () =>
      inTurn(async () => {
        if (checkpoints) return checkpoints.write();
        throw new ParamError("missing-input", "checkpoint: expected with checkpoint(), got nothing");
      }),
    files: () => inTurn(() => filesOf(parameters, recipe)),
    async save(target) {
      const store = await openStore(target, "target");
      const files = Object.entries(await inTurn(() => filesOf(parameters, recipe)));
      for (const [name, bytes] of files) await store.write(name, bytes);
      return files.map(([name]) => name);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
    async *[Symbol.asyncIterator]() {
      try {
        for (let step = await inTurn(advance); step; step = await inTurn(advance)) yield step;
      } finally {
        await inTurn(parameters.bring);
      }
    },
  };
}

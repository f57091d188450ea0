// Batches as the steps want them: from a list in the order of each epoch, or from a stream as it comes.

import { KindError, ParamError } from "../../errors.ts";
import { kindOf } from "../../messages.ts";
import type { Recipe } from "./config.ts";
import { type Example, noBatch, type Reader } from "./examples.ts";
import { orderOf } from "./order.ts";
import type { FirstEpoch } from "./states.ts";
import type { TrainExample, TrainExamples } from "./types.ts";

/** The batches of one step. */
export interface StepBatches {
  readonly batches: readonly (readonly Example[])[];
  /** Whether they are batches of the first epoch. */
  readonly isFirst: boolean;
  /** Passes over the examples once the step is taken; of a stream, with a fraction only where an epoch has ended. */
  readonly epoch: number;
  readonly endsEpoch: boolean;
}

export interface Feed {
  readonly steps: number;
  /** Undefined for a stream, which cannot be asked for an example twice. */
  readonly list: (FirstEpoch & { readonly examples: readonly Example[]; readonly stepsPerEpoch: number }) | undefined;
  /** Of step 0, 1, …, in order. */
  at(step: number): Promise<StepBatches>;
  /** Ends a stream that has not come to its end. */
  close(): Promise<void>;
}

/** A list, from which examples without room for a completion were dropped. */
export function feedOfList(examples: readonly Example[], recipe: Recipe, shuffle: boolean): Feed {
  const order = orderOf(examples.length, recipe, shuffle);
  const { steps, stepsPerEpoch } = order;
  const places = new Map(examples.map((example, place) => [example, place]));
  const at = (place: number): Example => examples[place] as Example;
  return {
    steps,
    list: {
      examples,
      stepsPerEpoch,
      inOrder: order.first.map(at),
      batchOf: (example) => order.firstBatchOf(places.get(example) as number).map(at),
    },
    async at(step) {
      const { epoch, batches, passed, endsEpoch } = order.at(step);
      return {
        batches: batches.map((batch) => batch.map(at)),
        isFirst: epoch === 0,
        epoch: passed,
        endsEpoch,
      };
    },
    close: async () => undefined,
  };
}

/** A stream: each epoch calls it anew. Steps that were taken before are passed over. */
export function feedOfStream(
  open: () => AsyncIterable<TrainExample>,
  reader: Reader,
  recipe: Recipe,
  shuffle: boolean | undefined,
): Feed {
  if (shuffle)
    throw new ParamError("out-of-range", "shuffle: expected a list of examples, got a stream, which has its order");
  const { maxSteps, gradientAccumulationSteps: parts, batchSize } = recipe.train;
  if (maxSteps <= 0) {
    throw new ParamError("missing-input", "config.max_steps: expected with a stream, whose length is not known");
  }
  type Next = { readonly batch: Example[] } | { readonly failed: unknown } | "end";
  const begin = () => batchesOf(open, reader, batchSize, recipe.train.dropLast);
  let batches = begin();
  let epoch = 0;
  let at = 0;
  let next: Next | undefined;
  let taken: StepBatches | undefined;

  // One batch is read ahead, to know where an epoch ends; a failure there is that of the step which wants the batch.
  async function read(): Promise<Next> {
    try {
      const { value } = await batches.next();
      return value ? { batch: value } : "end";
    } catch (failed) {
      return { failed };
    }
  }

  /** A stream that failed is at its end. Whoever tries again begins anew, and passes over what was taken. */
  function fail(error: unknown): never {
    [batches, epoch, at, next, taken] = [begin(), 0, 0, undefined, undefined];
    throw error;
  }

  async function take(): Promise<StepBatches> {
    next ??= await read();
    if (next === "end") fail(noBatch(batchSize, recipe.train.dropLast, "fewer"));
    const parcel: Example[][] = [];
    const isFirst = epoch === 0;
    while (next !== "end" && parcel.length < parts) {
      if ("failed" in next) fail(next.failed);
      parcel.push(next.batch);
      next = await read();
    }
    const endsEpoch = next === "end";
    if (endsEpoch) {
      epoch++;
      batches = begin();
      next = undefined;
    }
    at++;
    taken = { batches: parcel, isFirst, epoch, endsEpoch };
    return taken;
  }
  return {
    steps: maxSteps,
    list: undefined,
    async at(step) {
      // A step that failed is tried again with what it was given.
      if (step === at - 1 && taken) return taken;
      while (at < step) await take();
      return take();
    },
    async close() {
      await batches.return();
    },
  };
}

async function* batchesOf(
  open: () => AsyncIterable<TrainExample>,
  reader: Reader,
  batchSize: number,
  dropLast: boolean,
) {
  let place = 0;
  let block: TrainExample[] = [];
  let batch: Example[] = [];
  // Blocks are those whose completions rotate: as many as a batch has.
  const readBlock = (): Example[] => {
    const { kept } = reader.read(block, "examples", place);
    place += block.length;
    block = [];
    return kept;
  };
  for await (const example of streamOf(open)) {
    block.push(example);
    if (block.length < batchSize) continue;
    for (const kept of readBlock()) {
      batch.push(kept);
      if (batch.length < batchSize) continue;
      yield batch;
      batch = [];
    }
  }
  if (block.length > 0) batch.push(...readBlock());
  while (batch.length >= batchSize) yield batch.splice(0, batchSize);
  if (batch.length > 0 && !dropLast) yield batch;
}

/** Every example of a list, or of one pass over a stream. */
export async function readAll(examples: TrainExamples, reader: Reader, name: string) {
  if (typeof examples !== "function") return reader.read(examples, name);
  const all: TrainExample[] = [];
  for await (const example of streamOf(examples)) all.push(example);
  return reader.read(all, name);
}

/** What a function gives. Throws    KindError for what cannot be iterated */
function streamOf(open: () => AsyncIterable<TrainExample>): AsyncIterable<TrainExample> {
  const stream: unknown = open();
  const fields = stream as { [Symbol.asyncIterator]?: unknown; [Symbol.iterator]?: unknown } | null | undefined;
  if (typeof (fields?.[Symbol.asyncIterator] ?? fields?.[Symbol.iterator]) === "function") {
    return stream as AsyncIterable<TrainExample>;
  }
  throw new KindError(
    `examples: expected a function that gives an async iterable, got one that gives ${kindOf(stream)}`,
  );
}

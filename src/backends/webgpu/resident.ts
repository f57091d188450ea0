// Calls whose results stay on the GPU: every stage is recorded into one submission, and nothing is waited for.

import type { Plan, Term } from "../../plan/plan.ts";
import type { CallOptions, LengthArray } from "../../types.ts";
import { makeBuffer, STORAGE_USAGE } from "./buffers.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import { recordPairs } from "./pairs.ts";
import { inputNames, pairSumsWgsl } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { keysOfWgsl, pairInputsWgsl, SEQUENCE_WORDS, tokenMetricsWgsl } from "./sequences.wgsl.ts";
import type { Gpu } from "./submit.ts";
import { type GpuPairLossResult, type GpuRange, gpuMetrics } from "./types.ts";

/** What the shaders of sequences.wgsl.ts know of a batch. */
export interface BatchParams {
  readonly pairs: number;
  readonly tokens: number;
  readonly vocab: number;
  readonly statistics: boolean;
  readonly alpha: number;
  /** What likelihood losses add to the gradient of every chosen token. */
  readonly slope: number;
  readonly wpo: boolean;
  readonly offset: number;
}

export const uploadParams = (commands: Commands, params: BatchParams): Range =>
  commands.upload(
    packParams([
      { u32: params.pairs },
      { u32: params.tokens },
      { u32: params.vocab },
      { u32: Number(params.statistics) },
      { f32: params.alpha },
      { f32: params.slope },
      { u32: Number(params.wpo) },
      { u32: params.offset },
    ]),
  );

/** Room for sequences, or for their lack: zeros are log-probs of 0. */
export const sequenceBytes = (count: number): number => 4 * SEQUENCE_WORDS * count;

/** Makes the buffers of a result: the caller's to destroy, zero at first. */
export function createOutputs(gpu: Gpu) {
  const made: GPUBuffer[] = [];
  return {
    make(bytes: number): GpuRange {
      // Nothing cannot be bound.
      const size = Math.max(bytes, 4);
      const buffer = makeBuffer(gpu.device, size, STORAGE_USAGE);
      made.push(buffer);
      return { buffer, offset: 0, size };
    },
    destroy(): void {
      for (const buffer of made) buffer.destroy();
    },
  };
}

export type Outputs = ReturnType<typeof createOutputs>;

/** What was made for a call that is refused goes with it. */
export async function orDestroyed<T>(outputs: Outputs, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    outputs.destroy();
    throw error;
  }
}

/** Progress is all of it, once the device has taken the commands. */
export function reportLater({ onProgress }: CallOptions, total: number, done: Promise<void>): void {
  if (onProgress) done.then(() => onProgress(total, total)).catch(() => {});
}

/** The pair stage between sequences and gradients, as every resident call has it. */
export interface PairParts {
  readonly plan: Plan;
  readonly params: BatchParams;
  readonly scale: number;
  /** Slope of the likelihood losses where pairs bear it, and the loss of a sum of 1. */
  readonly likelihood: (at: number) => readonly [loss: number, slope: number, perSum: number];
  readonly policy: Range;
  readonly reference: Range;
  /** nw, nl and weight of each pair. */
  readonly lengths: Range;
  /** Where the tokens of each sequence start. */
  readonly start: Range;
}

/** Records it; losses, gradients, rewards and the policy's log-probs come in one range, the metrics in another. */
export function recordPairStage(
  commands: Commands,
  parts: PairParts,
  metrics: Range,
): { inputs: Range; results: Range } {
  const { plan, params, scale, likelihood, policy, reference, lengths, start } = parts;
  const { pairs } = params;
  const shared = uploadParams(commands, params);
  const inputs = commands.scratch(4 * (inputNames.length * pairs + 1));
  commands.run(tokenMetricsWgsl, 1, shared, policy, start, inputs, metrics);
  commands.run(pairInputsWgsl, groupsOf(pairs), shared, policy, reference, lengths, start, inputs);
  const keys = ({ loss }: Term): Range => {
    const range = commands.scratch(16 * pairs);
    const sorted = loss.batch ?? "";
    commands.run(keysOfWgsl(sorted), groupsOf(pairs), shared, policy, plan.referenceFree ? blank() : reference, range);
    return range;
  };
  const blank = (): Range => {
    const range = commands.scratch(sequenceBytes(2 * pairs));
    commands.clear(range);
    return range;
  };
  const results = recordPairs(commands, { plan, pairs, scale, likelihood, keys }, inputs);
  const sums = commands.upload(packParams([{ u32: pairs }, { f32: plan.beta }]));
  commands.run(pairSumsWgsl, 1, sums, inputs, results, metrics);
  return { inputs, results };
}

/** The results of the pair stage in a buffer of the caller's. */
export function pairRanges(range: GpuRange, pairs: number): Omit<GpuPairLossResult, "metrics" | "done" | "destroy"> {
  const part = (k: number): GpuRange => ({ buffer: range.buffer, offset: 4 * k * pairs, size: 4 * pairs });
  return {
    losses: part(0),
    gradChosen: part(1),
    gradRejected: part(2),
    chosenRewards: part(3),
    rejectedRewards: part(4),
  };
}

/** Bytes of the metrics of a resident call. */
export const METRICS_BYTES = 4 * gpuMetrics.length;

/** nw, nl, weight of each pair, 1 where they are not given. */
export function packLengths(pairs: number, arrays: readonly (LengthArray | undefined)[]): Float32Array {
  const packed = new Float32Array(3 * pairs).fill(1);
  arrays.forEach((array, k) => {
    if (array) packed.set(array, k * pairs);
  });
  return packed;
}

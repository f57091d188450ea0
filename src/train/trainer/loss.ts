// The loss of a batch of examples and its gradients: one call of linearLoss, in buffers that are used again.

import { pad } from "../../collate/collate.ts";
import type {
  AsyncBackend,
  Backend,
  Floats,
  LinearBatch,
  LinearLossOptions,
  LogitOptions,
  Reference,
  UnpairedLinearOptions,
} from "../../types.ts";
import type { Recipe } from "./config.ts";
import type { Example } from "./examples.ts";
import { asFloats } from "./host-place.ts";
import type { Parameters } from "./parameters.ts";
import type { Place, Placed } from "./place.ts";
import { type Layout, rowsOf, type States, spanOf } from "./states.ts";
import type { TrainHead } from "./types.ts";

export interface Outcome {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Of the batch, prompts included: all rows that the loss is of. */
  readonly tokens: number;
}

/** How a call takes part in a step. */
export interface Part {
  readonly gradScale: number;
  readonly accumulate: boolean;
  readonly evaluation: boolean;
}

/** Log-probs of the reference where they are computed once, by example. */
export type KnownLogps = Map<Example, readonly number[]>;

export interface LossSource {
  of(batch: readonly Example[], states: readonly States[], part: Part): Promise<Outcome>;
  /** Log-probs of all of a batch's rows under the reference, example by example. */
  referenceLogps(batch: readonly Example[], states: readonly States[]): Promise<number[][]>;
}

/** The reference as its head, or "precomputed": what each example brings. */
export type ReferenceHead = { readonly weight: Placed; readonly bias?: Placed | undefined } | "precomputed" | undefined;

interface Inputs {
  readonly backend: Backend | AsyncBackend;
  readonly place: Place;
  readonly recipe: Recipe;
  readonly head: TrainHead;
  readonly parameters: Parameters;
  readonly reference: ReferenceHead;
  readonly known: KnownLogps | undefined;
  readonly layout: Layout;
  readonly keep: LinearLossOptions["keep"];
  readonly signal: LinearLossOptions["signal"];
}

export function openLoss(inputs: Inputs): LossSource {
  const { backend, place, recipe, head, parameters, reference, known, layout, keep, signal } = inputs;
  const { vocab, hiddenSize, logitScale, logitSoftcap } = head;
  const transform: LogitOptions = { logitScale, logitSoftcap };
  const { ofRows, loss: options, shift } = recipe;

  /** The rows of a group as a call takes them. */
  function inputsOf(batch: readonly Example[], states: readonly States[], group: readonly number[], name: string) {
    place.check();
    const rows = rowsOf(batch, group);
    const { length, ...arrays } = pad(rows, layout.padding);
    const type = states[0]?.type ?? "f32";
    const data = place.scratch(name, type, rows.length * length * hiddenSize);
    rows.forEach((row, r) => {
      const [from] = spanOf(row, layout.withPrompts);
      const own = states[r % batch.length]?.rows[group[Math.floor(r / batch.length)] as number];
      data.set(own as typeof data, (r * length + from) * hiddenSize);
    });
    const count = ofRows ? { rows: rows.length } : { pairs: batch.length };
    const tokens = { ...count, length, ...arrays } as unknown as LinearBatch["tokens"];
    return { tokens, vocab, hiddenSize, hidden: asFloats({ type, data }), rows };
  }

  const headOf = (given: ReferenceHead) => (typeof given === "object" ? given : undefined);

  async function logpsOf(inputs: ReturnType<typeof inputsOf>, of: object, ldAlpha?: number): Promise<Float64Array> {
    const { tokens, hidden } = inputs;
    const batch = { tokens, vocab, hiddenSize, hidden, ...of } as LinearBatch;
    return (await backend.sequenceLogps(batch, { ...transform, ldAlpha, signal })).logps as Float64Array;
  }

  /** The reference's log-probs of a group where they are there already. */
  function knownLogps(batch: readonly Example[], group: readonly number[]): Float64Array | undefined {
    const ofHead = headOf(reference);
    if (reference === undefined || (ofHead && !known)) return undefined;
    const logps = batch.map((example) => (ofHead ? known?.get(example) : example.refLogps));
    return Float64Array.from(group.flatMap((role) => logps.map((of) => of?.[role] as number)));
  }

  async function mismatchedLogps(batch: readonly Example[], states: readonly States[]) {
    const group = layout.groups[1] ?? [];
    const inputs = inputsOf(batch, states, group, "mismatched");
    const policy = await logpsOf(inputs, parameters.inputs);
    return { policy, reference: knownLogps(batch, group) ?? (await logpsOf(inputs, headOf(reference) ?? {})) };
  }

  function referenceOf(batch: readonly Example[], hidden: Floats): Reference | undefined {
    const logps = knownLogps(batch, layout.groups[0] ?? []);
    const ofHead = headOf(reference);
    return logps ? { logps } : ofHead && ({ hidden, ...ofHead } as Reference);
  }

  return {
    async of(batch, states, { gradScale, accumulate, evaluation }) {
      const { rows, ...inputs } = inputsOf(batch, states, layout.groups[0] ?? [], "hidden");
      const margins = batch.map(({ rewardMargin }) => rewardMargin);
      const call = {
        ...inputs,
        ...parameters.inputs,
        reference: referenceOf(batch, inputs.hidden),
        ...(margins.every((margin) => margin !== undefined) && { rewardMargin: Float64Array.from(margins) }),
        ...(ofRows && { desirable: batch.map(({ desirable }) => desirable) }),
        ...(recipe.mismatched && { kl: await mismatchedLogps(batch, states) }),
      };
      const { loss, metrics } = await backend.linearLoss(
        call as never,
        {
          ...options,
          ...transform,
          // TRL leaves the mean alone when it evaluates.
          ...(shift && evaluation && { rewardShift: { ...shift.toJSON(), update: () => shift.mean } }),
          metrics: "full",
          gradScale,
          accumulate,
          keep: evaluation ? 0 : keep,
          // What makes the states is not tuned.
          frozen: "hidden",
          out: parameters.out,
          signal,
        } as LinearLossOptions & UnpairedLinearOptions,
      );
      return { loss, metrics, tokens: rows.reduce((sum, row) => sum + row.prompt.length + row.completion.length, 0) };
    },
    async referenceLogps(batch, states) {
      const columns: number[][] = [];
      for (const group of layout.groups) {
        const logps = await logpsOf(inputsOf(batch, states, group, "hidden"), headOf(reference) ?? {}, options.ldAlpha);
        group.forEach((role, k) => {
          columns[role] = [...logps.subarray(k * batch.length, (k + 1) * batch.length)];
        });
      }
      return batch.map((_, i) => columns.map((column) => column[i] as number));
    },
  };
}

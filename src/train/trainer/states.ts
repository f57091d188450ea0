// Hidden states of the frozen model: computed batch by batch, and kept between epochs where there is room. A model's numbers depend in
// their last bits on what else is in the batch; so what is kept of an example is always what its batch of the first epoch gives, also
// where a training that goes on has to compute it anew.

import { pad, type Row } from "../../collate/collate.ts";
import { KindError } from "../../errors.ts";
import { type FloatData, type FloatType, readFloats } from "../../inputs/floats.ts";
import type { Example } from "./examples.ts";
import type { Backbone, BackboneBatch, TrainerOptions } from "./types.ts";

/** The hidden states of an example that count, row after row. */
export interface States {
  readonly type: FloatType;
  readonly rows: readonly FloatData["data"][];
}

/** The positions of a row whose states are read: those that predict a token of the completion, or any token at all. */
export function spanOf({ prompt, completion }: Row, withPrompts: boolean): readonly [from: number, to: number] {
  const to = Math.max(0, prompt.length + completion.length - 1);
  return [withPrompts ? 0 : Math.min(to, Math.max(0, prompt.length - 1)), to];
}

/** How examples become the rows of a model's batch. */
export interface Layout {
  readonly hiddenSize: number;
  readonly padding: { readonly padToMultipleOf: number; readonly padTokenId: number };
  readonly withPrompts: boolean;
  /** The rows of an example that go together: both of a pair; a row, and apart from it its mismatched one, as in TRL. */
  readonly groups: readonly (readonly number[])[];
}

/** The rows of a group, all first ones first. */
export const rowsOf = (batch: readonly Example[], group: readonly number[]): Row[] =>
  group.flatMap((role) => batch.map(({ rows }) => rows[role] as Row));

export interface StateSource {
  /** The states of a batch; `isFirst`: it is one of the first epoch. */
  of(batch: readonly Example[], isFirst: boolean): Promise<readonly States[]>;
}

/** Hidden states that are computed at each call. */
export function computedStates(
  backbone: Backbone,
  { hiddenSize, padding, withPrompts, groups }: Layout,
  call: { readonly evaluation: boolean; readonly signal: TrainerOptions["signal"] },
): StateSource {
  async function* runs(batch: readonly Example[]) {
    for (const group of groups) {
      const rows = rowsOf(batch, group);
      const tokens = pad(rows, padding);
      const given: BackboneBatch = { ...tokens, rows: rows.length, pairs: rows.length / 2 };
      const floats = await backbone(given, { ...call, examples: batch.map(({ index }) => index) });
      const expected = rows.length * tokens.length * hiddenSize;
      yield { rows, length: tokens.length, floats: readFloats(floats, "backbone", expected) };
    }
  }
  let type: FloatType | undefined;
  return {
    async of(batch) {
      const states = batch.map((): FloatData["data"][] => []);
      for await (const { rows, length, floats } of runs(batch)) {
        type ??= floats.type;
        // States of several calls meet in one array.
        if (floats.type !== type) {
          throw new KindError(`backbone: expected hidden states in ${type}, as before, got ${floats.type}`);
        }
        for (const [r, row] of rows.entries()) {
          const [from, to] = spanOf(row, withPrompts);
          const part = floats.data.slice((r * length + from) * hiddenSize, (r * length + to) * hiddenSize);
          states[r % batch.length]?.push(part);
        }
      }
      return states.map((rows) => ({ type: type ?? "f32", rows }));
    },
  };
}

/** Bytes of memory that are left for states. */
export interface Budget {
  left: number;
}

/** Where states lie that memory has no room for. */
export interface Shelf {
  read(example: Example): Promise<States | undefined>;
  write(example: Example, states: States): Promise<void>;
}

/** The batches of a first epoch. */
export interface FirstEpoch {
  readonly inOrder: Iterable<Example>;
  /** The batch of an example; those that the epoch drops have one too. */
  batchOf(example: Example): readonly Example[];
}

/**
 * Hidden states that are computed once for as many examples as there is room for, which the order of the first epoch decides; the
 * others' are computed with each batch.
 */
export function keptStates(
  source: StateSource,
  { hiddenSize, withPrompts }: Layout,
  first: FirstEpoch,
  budget: Budget,
  shelf: Shelf | undefined,
): StateSource {
  const inMemory = new Set<Example>();
  for (const example of first.inOrder) {
    // Counted as float32: their type is not known before the first call.
    const bytes = 4 * hiddenSize * example.rows.reduce((sum, row) => sum + lengthOfSpan(spanOf(row, withPrompts)), 0);
    if (bytes > budget.left) break;
    budget.left -= bytes;
    inMemory.add(example);
  }
  const kept = new Map<Example, States>();
  const isKept = (example: Example): boolean => shelf !== undefined || inMemory.has(example);

  const find = async (example: Example): Promise<States | undefined> =>
    kept.get(example) ?? (inMemory.has(example) ? undefined : await shelf?.read(example));

  async function keep(batch: readonly Example[], states: readonly States[]): Promise<void> {
    for (const [i, example] of batch.entries()) {
      if (inMemory.has(example)) kept.set(example, states[i] as States);
      else await shelf?.write(example, states[i] as States);
    }
  }

  async function computeFirst(batch: readonly Example[]): Promise<readonly States[]> {
    const states = await source.of(batch, true);
    await keep(batch, states);
    return states;
  }

  return {
    async of(batch, isFirst) {
      const found = new Map<Example, States>();
      for (const example of batch) {
        const states = await find(example);
        if (states) found.set(example, states);
      }
      if (isFirst && found.size < batch.length) return computeFirst(batch);
      for (const example of batch) {
        if (found.has(example) || !isKept(example)) continue;
        const whole = first.batchOf(example);
        // Others of that batch are computed with this one, as where nothing was interrupted.
        (await computeFirst(whole)).forEach((states, i) => {
          if (isKept(whole[i] as Example)) found.set(whole[i] as Example, states);
        });
      }
      const others = batch.filter((example) => !found.has(example));
      const states = others.length > 0 ? await source.of(others, false) : [];
      others.forEach((example, i) => {
        found.set(example, states[i] as States);
      });
      return batch.map((example) => found.get(example) as States);
    },
  };
}

const lengthOfSpan = ([from, to]: readonly [number, number]): number => to - from;

// Hidden states, tokens and a head from one safetensors file, as what a trainer asks for: nothing of the model is needed then.

import { stat } from "node:fs/promises";
import { DpoError } from "../../errors.ts";
import { readSafetensors, type SafetensorsFile } from "../../safetensors/read.ts";
import type { Backbone, TrainExample } from "../../train.ts";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import { readRange } from "../store/folder.ts";
import { openTensors, type RowTensors, type Tensors } from "./hidden-tensors.ts";
import type { Task } from "./task.ts";

/** Where the tokens of a row stand, and where its completion begins. */
interface Span {
  readonly start: number;
  readonly completion: number;
  readonly end: number;
}

/** Rows of a file, and what tells their tokens apart. */
interface Rows extends RowTensors {
  readonly spans: readonly Span[];
}

/** Throws    a refusal that names file, tensor and row */
export async function readHiddenFile(path: string, lossTypes: readonly string[] = []): Promise<Task> {
  const { tensors, metadata } = await openFile(path);
  const given = openTensors(path, tensors, metadata);
  const { rows, isPairs, head, labels } = given;
  const needsMismatched = lossTypes.includes("kto") && !isPairs;
  if (needsMismatched && !given.mismatched) {
    const expected = "expected with kto, with kl_input_ids and kl_completion_mask: the states of its mismatched rows";
    throw refusal(`${path}: kl_hidden: ${expected}; --model computes them`);
  }
  const count = isPairs ? rows / 2 : rows;
  const withSpans = (of: RowTensors): Rows => ({
    ...of,
    spans: Array.from({ length: rows }, (_, row) => spanOf(path, row, of)),
  });
  const own = withSpans(given);
  const mismatched = needsMismatched && given.mismatched ? withSpans(given.mismatched) : undefined;
  const isScored = own.referenceLogps !== undefined && (!mismatched || mismatched.referenceLogps !== undefined);
  const refuseTwoPrompts = (what: string): never => {
    throw refusal(`${path}: ${what}, got two`);
  };
  const pairOf = (i: number): TrainExample => {
    const other = count + i;
    if (!isSame(promptOf(own, i), promptOf(own, other))) {
      refuseTwoPrompts(`pair ${i}: expected one prompt in rows ${i} and ${other}`);
    }
    return {
      ...{ prompt: promptOf(own, i), chosen: completionOf(own, i), rejected: completionOf(own, other) },
      ...(isScored && { refChosenLogps: own.referenceLogps?.[i], refRejectedLogps: own.referenceLogps?.[other] }),
    };
  };
  const rowOf = (i: number): TrainExample => {
    if (mismatched && !isSame(promptOf(own, i), promptOf(mismatched, i))) {
      refuseTwoPrompts(`kl_input_ids: row ${i}: expected the prompt of row ${i} of input_ids`);
    }
    return {
      ...{ prompt: promptOf(own, i), completion: completionOf(own, i), label: labels?.[i] === 1 },
      ...(mismatched && { klCompletion: completionOf(mismatched, i) }),
      ...(isScored && { refLogps: own.referenceLogps?.[i], refKlLogps: mismatched?.referenceLogps?.[i] }),
    };
  };
  const examples = Array.from({ length: count }, (_, i) => (isPairs ? pairOf(i) : rowOf(i)));
  const forTraining = given.forTraining(count);
  const longest = [own, ...(mismatched ? [mismatched] : [])]
    .flatMap(({ spans }) => spans)
    .reduce((most, { start, end }) => Math.max(most, end - start), 0);
  return {
    examples: examples.slice(0, forTraining),
    evalExamples: forTraining < count ? examples.slice(forTraining) : undefined,
    backbone: backboneOf(path, given, own, mismatched, forTraining),
    head,
    reference: isScored ? "precomputed" : undefined,
    place: (i, isEvaluation) => `${path}: ${isPairs ? "pair" : "row"} ${isEvaluation ? forTraining + i : i}`,
    cutsAt: longest,
    isInMemory: true,
    notes:
      own.referenceLogps && !isScored
        ? ["reference_logps: left out: kto needs kl_reference_logps too; the reference is the head as it was"]
        : [],
  };
}

const idsOf = ({ inputIds, length }: Rows, row: number, from: number, to: number): Int32Array =>
  inputIds.subarray(row * length + from, row * length + to);

function promptOf(rows: Rows, row: number): Int32Array {
  const { start, completion } = rows.spans[row] as Span;
  return idsOf(rows, row, start, completion);
}

function completionOf(rows: Rows, row: number): Int32Array {
  const { completion, end } = rows.spans[row] as Span;
  return idsOf(rows, row, completion, end);
}

async function openFile(path: string): Promise<SafetensorsFile> {
  try {
    const { size } = await stat(path);
    return readSafetensors(await readRange(path, 0, size));
  } catch (error) {
    if (isSystemError(error)) throw fileProblem(path, error);
    if (!(error instanceof DpoError)) throw error;
    throw refusal(`${path}: ${error.message.replace(/^safetensors: /, "")}`);
  }
}

/** Throws    a refusal for a row whose tokens, or those of its completion, do not hang together */
function spanOf(path: string, row: number, { prefix, length, completionMask, attentionMask }: RowTensors): Span {
  const completions = completionMask.subarray(row * length, (row + 1) * length);
  const tokens = attentionMask?.subarray(row * length, (row + 1) * length);
  const start = tokens ? tokens.indexOf(1) : 0;
  const end = (tokens ?? completions).lastIndexOf(1) + 1;
  const hole = tokens?.subarray(start, end).indexOf(0) ?? -1;
  if (start < 0 || end === 0) throw refusal(`${path}: ${prefix}input_ids: row ${row}: expected tokens, got none`);
  if (hole >= 0)
    throw refusal(`${path}: ${prefix}attention_mask: row ${row}: expected ones side by side, got 0 at ${start + hole}`);
  const first = completions.indexOf(1);
  const completion = first < 0 ? end : first;
  const missing = completions.subarray(completion, end).indexOf(0);
  if (completion < start || completions.lastIndexOf(1) >= end) {
    throw refusal(`${path}: ${prefix}completion_mask: row ${row}: expected ones within the tokens, got some outside`);
  }
  if (missing < 0) return { start, completion, end };
  throw refusal(
    `${path}: ${prefix}completion_mask: row ${row}: expected ones to the row's end, got 0 at ${completion + missing}`,
  );
}

function backboneOf(
  path: string,
  { rows, isPairs, head }: Tensors,
  own: Rows,
  mismatched: Rows | undefined,
  forTraining: number,
): Backbone {
  const size = head.hiddenSize;
  return ({ rows: count, length, inputIds, attentionMask }, { examples, evaluation }) => {
    const states = own.hidden.make(count * length * size);
    for (let r = 0; r < count; r++) {
      const example = (examples[r % examples.length] as number) + (evaluation ? forTraining : 0);
      const row = isPairs && r >= examples.length ? rows / 2 + example : example;
      const tokens = attentionMask.subarray(r * length, (r + 1) * length).lastIndexOf(1) + 1;
      const ids = inputIds.subarray(r * length, r * length + tokens);
      // The rows of a batch are its own ones or, in kto's second one, the mismatched.
      const from = [own, mismatched].find((one) => one && isSame(ids, wholeOf(one, row)));
      if (!from) throw refusal(`${path}: row ${row}: expected the tokens that the training asks for, got others`);
      const at = row * from.length + (from.spans[row] as Span).start;
      states.bits.set(from.hidden.bits.subarray(at * size, (at + tokens) * size), r * length * size);
    }
    return states.floats;
  };
}

function wholeOf(rows: Rows, row: number): Int32Array {
  const { start, end } = rows.spans[row] as Span;
  return idsOf(rows, row, start, end);
}

const isSame = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((id, i) => id === b[i]);

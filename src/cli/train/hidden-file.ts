// Hidden states, tokens and a head from one safetensors file, as what a trainer asks for: nothing of the model is needed then.

import { stat } from "node:fs/promises";
import { DpoError } from "../../errors.ts";
import { readSafetensors, type SafetensorsFile } from "../../safetensors/read.ts";
import type { Backbone, TrainExample } from "../../train.ts";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import { readRange } from "../store/folder.ts";
import { openTensors, type Tensors } from "./hidden-tensors.ts";
import type { Task } from "./task.ts";

/** Where the tokens of a row stand, and where its completion begins. */
interface Span {
  readonly start: number;
  readonly completion: number;
  readonly end: number;
}

/** Throws    a refusal that names file, tensor and row */
export async function readHiddenFile(path: string): Promise<Task> {
  const { tensors, metadata } = await openFile(path);
  const given = openTensors(path, tensors, metadata);
  const { rows, isPairs, head, referenceLogps } = given;
  const count = isPairs ? rows / 2 : rows;
  const spans = Array.from({ length: rows }, (_, row) => spanOf(path, row, given));
  const idsOf = (row: number, from: number, to: number): Int32Array =>
    given.inputIds.subarray(row * given.length + from, row * given.length + to);
  const promptOf = (row: number): Int32Array => {
    const { start, completion } = spans[row] as Span;
    return idsOf(row, start, completion);
  };
  const completionOf = (row: number): Int32Array => {
    const { completion, end } = spans[row] as Span;
    return idsOf(row, completion, end);
  };
  const exampleOf = (i: number): TrainExample => {
    if (!isPairs) return { prompt: promptOf(i), completion: completionOf(i), label: given.labels?.[i] === 1 };
    const other = count + i;
    if (!isSame(promptOf(i), promptOf(other))) {
      throw refusal(`${path}: pair ${i}: expected one prompt in rows ${i} and ${other}, got two`);
    }
    const pair = { prompt: promptOf(i), chosen: completionOf(i), rejected: completionOf(other) };
    return referenceLogps
      ? { ...pair, refChosenLogps: referenceLogps[i], refRejectedLogps: referenceLogps[other] }
      : pair;
  };
  const examples = Array.from({ length: count }, (_, i) => exampleOf(i));
  const forTraining = given.forTraining(count);
  const longest = spans.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  return {
    examples: examples.slice(0, forTraining),
    evalExamples: forTraining < count ? examples.slice(forTraining) : undefined,
    backbone: backboneOf(path, given, spans, forTraining),
    head,
    reference: isPairs && referenceLogps ? "precomputed" : undefined,
    place: (i, isEvaluation) => `${path}: ${isPairs ? "pair" : "row"} ${isEvaluation ? forTraining + i : i}`,
    cutsAt: longest,
    isInMemory: true,
    notes: [],
  };
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
function spanOf(path: string, row: number, { length, completionMask, attentionMask }: Tensors): Span {
  const completions = completionMask.subarray(row * length, (row + 1) * length);
  const tokens = attentionMask?.subarray(row * length, (row + 1) * length);
  const start = tokens ? tokens.indexOf(1) : 0;
  const end = (tokens ?? completions).lastIndexOf(1) + 1;
  const hole = tokens?.subarray(start, end).indexOf(0) ?? -1;
  if (start < 0 || end === 0) throw refusal(`${path}: row ${row}: expected tokens, got none`);
  if (hole >= 0)
    throw refusal(`${path}: attention_mask: row ${row}: expected ones side by side, got 0 at ${start + hole}`);
  const first = completions.indexOf(1);
  const completion = first < 0 ? end : first;
  const missing = completions.subarray(completion, end).indexOf(0);
  if (completion < start || completions.lastIndexOf(1) >= end) {
    throw refusal(`${path}: completion_mask: row ${row}: expected ones within the tokens, got some outside`);
  }
  if (missing < 0) return { start, completion, end };
  throw refusal(
    `${path}: completion_mask: row ${row}: expected ones to the row's end, got 0 at ${completion + missing}`,
  );
}

function backboneOf(path: string, given: Tensors, spans: readonly Span[], forTraining: number): Backbone {
  const { rows, isPairs, length, hidden, inputIds, head } = given;
  const size = head.hiddenSize;
  return (batch, { examples, evaluation }) => {
    const states = hidden.make(batch.rows * batch.length * size);
    for (let r = 0; r < batch.rows; r++) {
      const example = (examples[r % examples.length] as number) + (evaluation ? forTraining : 0);
      const row = isPairs && r >= examples.length ? rows / 2 + example : example;
      const { start, end } = spans[row] as Span;
      const from = row * length + start;
      const count = Math.min(end - start, batch.length);
      // Rows of a trainer's own making, such as kto's, are not in the file.
      const own = batch.inputIds.subarray(r * batch.length, r * batch.length + count);
      if (!isSame(own, inputIds.subarray(from, from + count))) {
        throw refusal(`${path}: has no states of the mismatched rows that this loss needs; --model computes them`);
      }
      states.bits.set(hidden.bits.subarray(from * size, (from + count) * size), r * batch.length * size);
    }
    return states.floats;
  };
}

const isSame = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((id, i) => id === b[i]);

// What is trained on: hidden states of a frozen model, the head that turns them into logits, preference pairs.

import type { Tokens } from "dpo-kernels";
import { readMetadata, readTensor } from "../safetensors.ts";

export interface HeadTask {
  name: string;
  vocab: number;
  hiddenSize: number;
  /** [V·D] The head to begin with, which is the reference too. */
  weight: Float32Array;
  /** [2·pairs] Log-probs under that head, all chosen completions first; computed with each batch where they are not there. */
  referenceLogps?: Float32Array;
  pairs: number;
  /** Pairs from 0 to here are for training, the others for evaluation. */
  trainPairs: number;
  /** [2·pairs·length] As of a padded batch. */
  tokens: Tokens;
  /** [2·pairs·length·D] Row t is for the prediction of token t + 1. */
  hidden: States;
}

type States = Float32Array | { f16: Uint16Array };

/** Some of the pairs as a batch. */
export function batchOf(task: HeadTask, chosen: number[]) {
  const { pairs, tokens, hiddenSize, vocab, weight, referenceLogps } = task;
  const rows = [...chosen, ...chosen.map((pair) => pairs + pair)];
  const { length } = tokens;
  const pick = <A extends Int32Array | Uint8Array | Uint16Array | Float32Array>(from: A, size: number): A => {
    const to = from.slice(0, rows.length * size) as A;
    rows.forEach((row, i) => {
      to.set(from.subarray(row * size, (row + 1) * size), i * size);
    });
    return to;
  };
  const size = length * hiddenSize;
  const hidden: States = "f16" in task.hidden ? { f16: pick(task.hidden.f16, size) } : pick(task.hidden, size);
  return {
    tokens: {
      pairs: chosen.length,
      length,
      inputIds: pick(tokens.inputIds as Int32Array, length),
      completionMask: pick(tokens.completionMask as Uint8Array, length),
    },
    vocab,
    hiddenSize,
    hidden,
    reference: referenceLogps ? { logps: pick(referenceLogps, 1) } : { hidden, weight },
  };
}

/** A task from a safetensors file; README.md has its tensors. */
export function readTask(file: Uint8Array): HeadTask {
  const { name = "", ...numbers } = readMetadata(file);
  const number = (key: string): number => Number(numbers[key]);
  return {
    name,
    vocab: number("vocab"),
    hiddenSize: number("hidden_size"),
    weight: new Float32Array(readTensor(file, "lm_head")),
    referenceLogps: new Float32Array(readTensor(file, "ref_logps")),
    pairs: number("pairs"),
    trainPairs: number("train_pairs"),
    tokens: {
      pairs: number("pairs"),
      length: number("length"),
      inputIds: new Int32Array(readTensor(file, "input_ids")),
      completionMask: new Uint8Array(readTensor(file, "completion_mask")),
    },
    hidden: { f16: new Uint16Array(readTensor(file, "hidden")) },
  };
}

// A log-bilinear language model (Mnih & Hinton 2007): each of the last words adds its vector, one table for each distance, and the
// head makes logits of the sum. dpo-kernels goes from the sums to a loss and back; what is before them is here.

import { END, LONGEST, START, words } from "./language.ts";

const CONTEXT = 4;
export const vocab = words.length;
export const hiddenSize = 16;

export interface Model {
  /** [CONTEXT · V · D] */
  readonly tables: Float32Array;
  /** [V · D] */
  readonly head: Float32Array;
}

export function newModel(random: () => number): Model {
  const uniform = (length: number): Float32Array => Float32Array.from({ length }, () => 0.2 * (random() - 0.5));
  return { tables: uniform(CONTEXT * vocab * hiddenSize), head: uniform(vocab * hiddenSize) };
}

export const copyOf = ({ tables, head }: Model): Model => ({ tables: tables.slice(), head: head.slice() });

interface Rows {
  readonly inputIds: Int32Array;
  /** T */
  readonly length: number;
}

/** Calls `add` with each position and the place in the tables of each vector that belongs to it. */
function eachVector({ inputIds, length }: Rows, add: (position: number, place: number) => void): void {
  for (let at = 0; at < inputIds.length; at++) {
    for (let back = 0; back < CONTEXT; back++) {
      const id = back > at % length ? START : (inputIds[at - back] ?? START);
      add(at * hiddenSize, (back * vocab + id) * hiddenSize);
    }
  }
}

/** [rows · T · D] The hidden state at each position, which predicts the next one. */
export function hiddenOf({ tables }: Model, rows: Rows): Float32Array {
  const hidden = new Float32Array(rows.inputIds.length * hiddenSize);
  eachVector(rows, (at, place) => {
    for (let d = 0; d < hiddenSize; d++) hidden[at + d] = (hidden[at + d] ?? 0) + (tables[place + d] ?? 0);
  });
  return hidden;
}

/** The way back: from the gradient of the hidden states to that of the tables. */
export function tablesGradient(gradHidden: Float32Array, rows: Rows): Float32Array {
  const gradient = new Float32Array(CONTEXT * vocab * hiddenSize);
  eachVector(rows, (at, place) => {
    for (let d = 0; d < hiddenSize; d++) gradient[place + d] = (gradient[place + d] ?? 0) + (gradHidden[at + d] ?? 0);
  });
  return gradient;
}

/** log p of each next word after a text. */
export type NextWords = (text: readonly number[]) => Float64Array;

/** A model's predictions, as it is now; those of a context that was asked for before are kept. */
export function nextWordsOf(model: Model): NextWords {
  const known = new Map<string, Float64Array>();
  return (text) => {
    const context = Int32Array.from({ length: CONTEXT }, (_, i) => text[text.length - CONTEXT + i] ?? START);
    const key = context.join();
    const logps = known.get(key) ?? predict(model, context);
    known.set(key, logps);
    return logps;
  };
}

function predict(model: Model, context: Int32Array): Float64Array {
  const hidden = hiddenOf(model, { inputIds: context, length: CONTEXT }).subarray(-hiddenSize);
  const logits = Float64Array.from({ length: vocab }, (_, id) =>
    hidden.reduce((sum, state, d) => sum + state * (model.head[id * hiddenSize + d] ?? 0), 0),
  );
  const largest = Math.max(...logits);
  const lse = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return logits.map((logit) => logit - lse);
}

/**
 * A completion drawn from a policy, and how far it is from the reference along it: Σ over its tokens of KL(policy ‖ reference) of the
 * next word, whose mean over completions is the KL divergence of completions.
 */
export function sample(policy: NextWords, reference: NextWords, prompt: readonly number[], random: () => number) {
  const text = [...prompt];
  let kl = 0;
  while (text.length < prompt.length + LONGEST && text.at(-1) !== END) {
    const [logps, others] = [policy(text), reference(text)];
    let left = random();
    let next = -1;
    for (let id = 0; id < vocab; id++) {
      const p = Math.exp(logps[id] ?? 0);
      kl += p * ((logps[id] ?? 0) - (others[id] ?? 0));
      if (left >= 0) next = id;
      left -= p;
    }
    text.push(next);
  }
  return { completion: text.slice(prompt.length), kl };
}

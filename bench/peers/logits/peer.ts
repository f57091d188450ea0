// What every other library of the benchmark of logits computes.

import type { Results } from "../../logits/problem.ts";

/** One batch in the caller's own arrays; every row counts. */
export interface Input {
  rows: number;
  vocab: number;
  /** [R·V] */
  logits: Float32Array<ArrayBuffer>;
  /** [R] the token whose log-prob is asked for. */
  ids: Int32Array<ArrayBuffer>;
  /** [R] the gradient with respect to each log-prob: peers are given it, and spared the loss of pairs. */
  g: Float32Array<ArrayBuffer>;
}

/** `elapsed`, milliseconds, where the work is done in another process. */
export type Answer = Results & { elapsed?: number };

/**
 * One library in one form. Forward gives log-probs, backward the gradient of the logits, both gives the two; where there is
 * no backward alone it is taken for the difference. Results are the library's own arrays: none is made to copy them.
 */
export interface Peer {
  name: string;
  forward?: () => Answer | Promise<Answer>;
  backward?: () => Answer | Promise<Answer>;
  both: () => Answer | Promise<Answer>;
}

/** A library's forms, over one batch; none where the library is not installed. */
export interface Library {
  peers: Peer[];
  /** Versions of what is no dependency. */
  versions?: Record<string, string>;
  close?: () => unknown;
}

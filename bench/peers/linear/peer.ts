// What every other library of the benchmark of linear losses computes.

import type { Problem, Results } from "../../linear/problem.ts";

/** The batch, and the gradient with respect to each log-prob: peers are given it, and spared the loss of pairs. */
export interface Input extends Problem {
  g: Float32Array<ArrayBuffer>;
}

/** Forward gives log-probs, both also the gradients of hidden states and weight, in the library's own arrays. */
export interface Peer {
  name: string;
  forward: () => Results | Promise<Results>;
  both: () => Results | Promise<Results>;
  close?: () => unknown;
}

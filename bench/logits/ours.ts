// The calls of dpo-kernels that are timed.

import type { Backend } from "../../dist/index.js";
import type { Candidate } from "../measure.ts";
import { arrayOf, asFloats, type Numbers, options, type Problem, type Type } from "./problem.ts";

/** Where the arrays of a call are allocated. */
export type Place = "own arrays" | "allocate";

/** Candidates for the same problem with arrays in the same place. */
export interface Calls {
  forward: Candidate;
  out: Candidate;
  inPlace: Candidate;
  /** Where `both` writes the gradient. */
  target: Numbers;
}

/** Makes the calls of one backend; problems of the same type share the gradient's array. */
export function makeCalls(backend: Backend, place: Place) {
  const make = (type: Type, n: number): Numbers =>
    place === "allocate" ? backend.allocate(type, n) : arrayOf(type, n);
  const targets = new Map<Type, Numbers>();
  return (name: string, problem: Problem): Calls => {
    const { type, transform, logits: source, tokens, shape } = problem;
    const logits = place === "allocate" ? filled(make(type, source.length), source) : source;
    const target = targets.get(type) ?? make(type, source.length);
    targets.set(type, target);
    const batch = (data: Numbers) => ({
      tokens,
      vocab: shape.vocab,
      logits: asFloats(type, data),
      reference: { logps: problem.reference },
    });
    const [from, over] = [batch(logits), batch(target)];
    const intoOut = { ...options, ...transform, out: { gradLogits: asFloats(type, target) } };
    const inPlace = { ...options, ...transform, inPlace: true };
    const results = (logps: ArrayLike<number>) => ({ logps, gradient: target });
    return {
      forward: {
        name: `${name}: forward`,
        run: () => ({ logps: backend.sequenceLogps(from, transform).tokenLogps }),
      },
      out: {
        name: `${name}, into out: both`,
        run: () => results(backend.logitsLoss(from, intoOut).tokenLogps),
      },
      inPlace: {
        name: `${name}, in place: both`,
        prepare: () => target.set(logits),
        run: () => results(backend.logitsLoss(over, inPlace).tokenLogps),
      },
      target,
    };
  };
}

function filled(array: Numbers, source: Numbers): Numbers {
  array.set(source);
  return array;
}

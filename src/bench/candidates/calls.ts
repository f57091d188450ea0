// What each case is in calls of this package.

import { logitsInputs } from "../cases/logits.ts";
import { pairInputs } from "../cases/pairs.ts";
import type { Case, Group, Opened, Problem } from "../types.ts";
import { type Arrays, ownArrays } from "./arrays.ts";
import type { AnyBackend } from "./library.ts";

type Results = Awaited<ReturnType<Opened["results"]>>;
export type Call = (backend: AnyBackend, problem: Problem, arrays: Arrays) => Opened;

/** Keeps what a call gave, for the check. */
function keep<T extends object>(call: () => T | Promise<T>, read: (last: T) => Results, prepare?: () => void): Opened {
  let last: T | Promise<T> | undefined;
  return {
    run: () => (last = call()),
    async results() {
      const given = await last;
      if (!given) throw new Error("results: expected a run first");
      return read(given);
    },
    ...(prepare ? { prepare } : {}),
  };
}

const pairs: Call = (backend, problem, { make, put }) => {
  const { lossType, beta, pairs: logps, lengths } = pairInputs(problem);
  const n = logps.policyChosen.length;
  const batch = {
    policyChosen: put(logps.policyChosen),
    policyRejected: put(logps.policyRejected),
    referenceChosen: put(logps.referenceChosen),
    referenceRejected: put(logps.referenceRejected),
    ...(lengths && { chosenLengths: put(lengths.chosenLengths), rejectedLengths: put(lengths.rejectedLengths) }),
  };
  const out = { losses: make("f32", n), gradChosen: make("f32", n), gradRejected: make("f32", n) };
  const options = { lossType, beta, out };
  return keep(
    () => backend.pairLoss(batch, options),
    ({ loss }) => ({ loss, ...out }),
  );
};

/** In place where the arrays are the backend's: one pass over memory fewer, and what a training loop does. */
const logits: Call = (backend, problem, arrays) => {
  const {
    pass,
    rows,
    vocab,
    type,
    logits: given,
    tokens,
    lossType,
    beta,
    gradScale,
    reference,
  } = logitsInputs(problem);
  const floats = (data: Float32Array | Uint16Array) =>
    data instanceof Float32Array ? data : type === "f16" ? { f16: data } : { bf16: data };
  const data = arrays.put<Float32Array | Uint16Array>(given);
  const batch = { tokens, vocab, logits: floats(data) };
  if (pass === "forward") {
    return keep(
      () => backend.sequenceLogps(batch),
      ({ tokenLogps }) => ({ logps: tokenLogps }),
    );
  }
  const withReference = { ...batch, reference: { logps: reference } };
  const options = { lossType, beta, gradScale };
  if (arrays !== ownArrays) {
    const inPlace = { ...options, inPlace: true };
    return keep(
      () => backend.logitsLoss(withReference, inPlace),
      ({ tokenLogps }) => ({ logps: tokenLogps, gradient: data }),
      () => data.set(given),
    );
  }
  const gradient = arrays.make(type, rows * vocab);
  const into = { ...options, out: { gradLogits: floats(gradient) } };
  return keep(
    () => backend.logitsLoss(withReference, into),
    ({ tokenLogps }) => ({ logps: tokenLogps, gradient }),
  );
};

const calls: Partial<Record<Group, Call>> = { pairs, logits };

/** Undefined where a case is none of calls of backends. */
export const callOf = ({ group }: Case): Call | undefined => calls[group];

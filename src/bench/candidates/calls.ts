// What each case is in calls of this package.

import type { Inputs } from "../inputs.ts";
import type { Opened } from "../types.ts";
import { type Arrays, ownArrays } from "./arrays.ts";
import type { AnyBackend } from "./library.ts";

type Results = Awaited<ReturnType<Opened["results"]>>;
type Kind = Inputs["kind"];
export type Call<K extends Kind = Kind> = (
  backend: AnyBackend,
  inputs: Extract<Inputs, { kind: K }>,
  arrays: Arrays,
) => Opened;

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

const pairs: Call<"pairs"> = (backend, { lossType, beta, pairs: logps, lengths }, { make, put }) => {
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
const logits: Call<"logits"> = (backend, inputs, arrays) => {
  const { pass, rows, vocab, type, logits: given, tokens, lossType, beta, gradScale, reference } = inputs;
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

const rows: Call<"rows"> = (backend, { lossType, beta, rows: logps }, { make, put }) => {
  const n = logps.policy.length;
  const batch = {
    policy: put(logps.policy),
    reference: put(logps.reference),
    desirable: put(logps.desirable),
    klPolicy: put(logps.klPolicy),
    klReference: put(logps.klReference),
  };
  const out = { losses: make("f32", n), grad: make("f32", n) };
  const options = { lossType, beta, out };
  return keep(
    () => backend.unpairedLoss(batch, options),
    ({ loss }) => ({ loss, ...out }),
  );
};

const linear: Call<"linear"> = (backend, inputs, { make, put }) => {
  const { pass, rows: n, width, vocab, tokens, lossType, beta, gradScale, reference, ...given } = inputs;
  const head = { tokens, vocab, hiddenSize: width, hidden: put(given.hidden), weight: put(given.weight) };
  if (pass === "forward") {
    return keep(
      () => backend.sequenceLogps(head),
      ({ tokenLogps }) => ({ logps: tokenLogps }),
    );
  }
  const batch = { ...head, reference: { logps: reference } };
  const out = { gradHidden: make("f32", n * width), gradWeight: make("f32", vocab * width) };
  const options = { lossType, beta, gradScale, out };
  return keep(
    () => backend.linearLoss(batch, options),
    ({ tokenLogps }) => ({ logps: tokenLogps, ...out }),
  );
};

const calls: { readonly [K in Kind]?: Call<K> } = { pairs, rows, logits, linear };

/** Undefined where the work is none of calls of backends. */
export const callOf = ({ kind }: Inputs): Call | undefined => calls[kind] as Call | undefined;

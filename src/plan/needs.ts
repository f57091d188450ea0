// Which arrays of a pair the losses of a plan cannot do without.

import type { PairLogps } from "../types.ts";
import type { Plan } from "./plan.ts";

/** The arrays that are needed, each with the id of a loss that needs it. */
export type Needs = Readonly<Partial<Record<keyof PairLogps, string | undefined>>>;

/** What the losses of a plan read. Beside that, every call takes `policyRejected`, for the metrics. */
export function needsOf({ terms, referenceFree }: Plan): Needs {
  const ratio = terms.find(({ loss }) => !("likelihood" in loss))?.loss.id;
  const normalised = terms.find(({ loss }) => "margin" in loss && loss.normalised)?.loss.id;
  const likelihood = terms.find(({ loss }) => "likelihood" in loss)?.loss.id;
  const reference = referenceFree ? undefined : ratio;
  return {
    policyChosen: terms[0]?.loss.id,
    policyRejected: ratio,
    referenceChosen: reference,
    referenceRejected: reference,
    chosenLengths: normalised ?? likelihood,
    rejectedLengths: normalised,
  };
}

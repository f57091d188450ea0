// Which arrays of a pair the losses of a plan cannot do without.

import { type PairColumn, pairColumns } from "../losses/kinds.ts";
import type { Plan, Term } from "./plan.ts";

/** The arrays that are needed, each with the id of a loss that needs it. */
export type Needs = Readonly<Partial<Record<PairColumn, string | undefined>>>;

/** The arrays that a term of a plan reads. */
export const readsOf = ({ loss, free }: Term): readonly PairColumn[] => (free ? loss.readsAlone : loss.reads);

/** What the losses of a plan read. Beside that, every call takes `policyRejected`, for the metrics. */
export const needsOf = (plan: Plan): Needs =>
  Object.fromEntries(
    pairColumns.map(({ name }) => [name, plan.terms.find((term) => readsOf(term).includes(name))?.loss.id]),
  );

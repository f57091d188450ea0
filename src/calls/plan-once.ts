// The plan of a call without tokens, and the checks of its options. Most calls of a program ask for what an earlier one asked for:
// of a few pairs, a quarter of the time went into finding that again.

import { askSame, checkCall, type LossCallOptions, ofTokens, refuseUnused } from "../inputs/options.ts";
import type { Unit } from "../losses/kinds.ts";
import { type Plan, planLosses } from "../plan/plan.ts";

/**
 * Makes the function that plans the calls of one kind. Its `check` sees each plan before the other options are checked, as an engine may
 * lack a kernel; it throws what planLosses, `check` and checkCall throw.
 */
/* @__NO_SIDE_EFFECTS__ */
export function createPlanner(unit: Unit, caller: string) {
  // By the name of the loss: there are no more of these than the table has.
  const known = new Map<unknown, { readonly options: LossCallOptions; readonly plan: Plan }>();
  return (options: LossCallOptions, check?: (plan: Plan) => void): Plan => {
    const before = known.get(options.lossType);
    const isKnown = before !== undefined && askSame(before.options, options);
    const plan = isKnown ? before.plan : planLosses(options, unit);
    check?.(plan);
    if (isKnown) return plan;
    checkCall(options);
    refuseUnused(options, ofTokens, caller);
    const asked = { ...options, out: undefined };
    // Values that do not change, nothing of the caller's that would stay alive; and no 0, which −0 is the same as.
    const isKept = !Object.values(asked).some((value) => value === Object(value) || value === 0);
    if (isKept) known.set(options.lossType, { options: asked, plan });
    return plan;
  };
}

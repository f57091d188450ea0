// Sequences as single rows, each desirable or not.

import type { PairEngine } from "../engine.ts";
import type { RowLabels } from "../inputs/token-rows.ts";
import type { TokenList } from "../inputs/tokens.ts";
import { checkRows, type RowJob } from "../inputs/unpaired.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray, RowBuffers, UnpairedLossOptions } from "../types.ts";
import type { Forward } from "./sequences.ts";

/** The pair stage's job on rows: sequence sums stay in float64 until here, so that log-ratios are formed in it. */
export function rowJobOf(
  plan: Plan,
  { lengths }: TokenList,
  { desirable, kl }: RowLabels,
  { logps }: Pick<Forward, "logps">,
  reference: FloatArray | undefined,
  { out, gradScale, metrics }: Pick<UnpairedLossOptions, "gradScale" | "metrics"> & { out?: RowBuffers | undefined },
  { scan }: PairEngine,
): RowJob {
  const { losses, grad, rewards } = out ?? {};
  const rows = { policy: logps, reference, desirable, kl, lengths };
  return checkRows(rows, plan, { gradScale, metrics, out: { losses, grad, rewards } }, scan);
}

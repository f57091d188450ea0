// The columns of a batch of pairs. A new one is a line here.

/** An array that a call on pairs takes: one number of each pair. */
export interface Column {
  readonly name: string;
  readonly of: "policy" | "reference" | "lengths" | "own" | "weights";
  /** What kernels and shaders call it. */
  readonly symbol: string;
  /** What a formula calls its number of one pair; log-probs reach formulas as log-ratios, weights do not reach them. */
  readonly argument?: string;
}

/** The arrays that a call on pairs takes, in the order in which they are checked, sent and bound. */
export const pairColumns = [
  { name: "policyChosen", of: "policy", symbol: "pc" },
  { name: "policyRejected", of: "policy", symbol: "pr" },
  { name: "referenceChosen", of: "reference", symbol: "rc" },
  { name: "referenceRejected", of: "reference", symbol: "rr" },
  { name: "chosenLengths", of: "lengths", symbol: "nw", argument: "chosenLength" },
  { name: "rejectedLengths", of: "lengths", symbol: "nl", argument: "rejectedLength" },
  { name: "rewardMargin", of: "own", symbol: "rm", argument: "rewardMargin" },
  { name: "pairWeights", of: "weights", symbol: "weight" },
] as const satisfies readonly Column[];

export type PairColumn = (typeof pairColumns)[number]["name"];

/** Columns that no loss reads unless its definition lists them. */
export type OwnColumn = Extract<(typeof pairColumns)[number], { of: "own" }>["name"];

// Kinds of losses as tables: the arrays that a call on pairs, or on rows, takes and gives; what the formula of each kind takes,
// returns and reads. The checks of a call, the kernels' signature, the shaders' inputs, the pool's messages, the columns of the
// command line and docs/losses.md follow from them.

import { type Column, type OwnColumn, type PairColumn, pairColumns } from "./columns.ts";
import type { LikelihoodLoss, Loss, LossInfo, MarginLoss, PairLoss, RowLoss } from "./loss.ts";

export { type Column, type OwnColumn, type PairColumn, pairColumns } from "./columns.ts";

/** The arrays that a call on pairs gives, float32. The first three always, rewards with `metrics: "full"`. */
export const pairResults = ["losses", "gradChosen", "gradRejected", "chosenRewards", "rejectedRewards"] as const;

export type PairResult = (typeof pairResults)[number];

/**
 * The arrays that a call on rows takes. The pair stage computes rows too: a row is a pair whose rejected side is its label. `slot`
 * is the array of the pair stage that each stands in; the density ratio is a weight of the undesirable rows.
 */
export const rowColumns = [
  { name: "policy", of: "policy", slot: "policyChosen" },
  { name: "reference", of: "reference", slot: "referenceChosen" },
  { name: "desirable", of: "labels", slot: "policyRejected" },
  { name: "lengths", of: "lengths", slot: "chosenLengths" },
  { name: "rowWeights", of: "weights", slot: "pairWeights" },
  { name: "densityRatio", of: "weights", slot: undefined },
] as const satisfies readonly { name: string; of: Column["of"] | "labels"; slot: PairColumn | undefined }[];

export type RowColumn = (typeof rowColumns)[number]["name"];

/** The arrays that a call on rows gives, and where the pair stage has them. */
export const rowResults = [
  { name: "losses", slot: "losses" },
  { name: "grad", slot: "gradChosen" },
  { name: "rewards", slot: "chosenRewards" },
] as const satisfies readonly { name: string; slot: PairResult }[];

/** The function of each kind of loss. */
export interface Formulas {
  readonly margin: MarginLoss["margin"];
  readonly pair: PairLoss["pair"];
  readonly likelihood: LikelihoodLoss["likelihood"];
  readonly row: RowLoss["row"];
}

/** What kind of formula a loss is: the key that its function has in the definition. */
export type Kind = keyof Formulas;

/** What a loss is of. */
export type Unit = "pair" | "row";

/** What couples the pairs of a batch: a sort of margins, or of log-ratios; a sum over the chosen completions. */
export type Coupling = "margins" | "ratios" | "likelihood";

const logRatios = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"] as const;

interface KindInfo {
  readonly unit: Unit;
  /** The numbers that its function returns. */
  readonly returns: readonly string[];
  /** The arrays that every loss of the kind reads. */
  readonly reads: readonly PairColumn[];
  readonly batch?: Coupling;
}

/** The kinds. A formula of log-ratios has a kernel printed from it; a likelihood is one number for the batch. */
export const kinds: Readonly<Record<Kind, KindInfo>> = {
  margin: { unit: "pair", returns: ["loss", "dLoss/dd"], reads: logRatios },
  pair: { unit: "pair", returns: ["loss", "dLoss/da", "dLoss/dc"], reads: logRatios },
  likelihood: {
    unit: "pair",
    returns: ["loss", "dLoss/dsum"],
    reads: ["policyChosen", "chosenLengths"],
    batch: "likelihood",
  },
  row: { unit: "row", returns: ["loss", "dLoss/dr"], reads: ["policyChosen", "policyRejected", "referenceChosen"] },
};

const kindNames = Object.keys(kinds) as Kind[];

export interface Described<K extends Kind> extends Required<LossInfo> {
  readonly kind: K;
  readonly formula: Formulas[K];
  readonly unit: Unit;
  /** Whether it compares the policy with a reference. */
  readonly reference: boolean;
  /** Whether its log-ratios are divided by the completions' lengths. */
  readonly perToken: boolean;
  /** The negative log-likelihood that goes with it. */
  readonly nll: "completion" | "row" | undefined;
  /** The columns that its function takes after its first arguments. */
  readonly columns: readonly OwnColumn[];
  /** What couples the pairs of a batch; undefined for losses of single pairs. */
  readonly batch: Coupling | undefined;
  /** Whether its margin may be one of scores, under an f-divergence. */
  readonly scored: boolean;
  /** The arrays that it cannot do without. */
  readonly reads: readonly PairColumn[];
  /** The same where the reference counts as 0. */
  readonly readsAlone: readonly PairColumn[];
}

/** A loss as the package sees it: what its definition says, in one form for every kind. */
export type LossRecord = { [K in Kind]: Described<K> }[Kind];

/** The kind that a definition's function names; undefined where it has none, or more than one. */
export function kindOfLoss(definition: object): Kind | undefined {
  const named = kindNames.filter((kind) => definition[kind as never] !== undefined);
  return named.length === 1 ? named[0] : undefined;
}

/** The record of a sound definition. */
export function describeLoss(definition: Loss): LossRecord {
  const kind = kindOfLoss(definition) as Kind;
  const { id, title, params, normalised, sorted, columns = [], nll, reference: isRelative } = definition as MarginLoss;
  const perToken = (kind === "margin" || kind === "pair") && normalised === true;
  const batch = (kind === "margin" && sorted) || kinds[kind].batch;
  const read: ReadonlySet<string> = new Set([...kinds[kind].reads, ...(perToken ? lengths : []), ...columns]);
  const all = pairColumns.filter(({ name }) => read.has(name));
  const alone = all.filter((column) => column.of !== "reference");
  const reads = isRelative === false ? alone : all;
  const reference = reads.length > alone.length;
  return Object.freeze({
    id,
    title,
    params,
    kind,
    formula: definition[kind as never],
    unit: kinds[kind].unit,
    reference,
    perToken,
    nll,
    columns,
    batch,
    scored: kind === "margin" && batch === undefined && reference && columns.length === 0,
    reads: reads.map(({ name }) => name),
    readsAlone: alone.map(({ name }) => name),
  }) as LossRecord;
}

const lengths = pairColumns.filter((column) => column.of === "lengths").map(({ name }) => name);

/** Whether a loss forms its margins after sorting across the batch. */
export const isSorting = ({ kind, batch }: LossRecord): boolean => kind === "margin" && batch !== undefined;

/** Whether a loss sees how far the policy has moved in all: the k of KTO, which the mismatched rows of the batch give. */
export const readsKl = ({ kind, params }: LossRecord): boolean => kind === "row" && Object.hasOwn(params, "kl");

// From the options of a call to what is to be computed: which losses, with which weights and hyperparameters.

import { isList } from "../checks/lists.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { checkFlag, checkNumber } from "../checks/numbers.ts";
import { quoted } from "../checks/printable.ts";
import { noneOf, outOfRange, unusedOption, wrongKind } from "../checks/refusals.ts";
import { ParamError } from "../errors.ts";
import { isSettled, recordOfLoss } from "../losses/define.ts";
import { type LossType, lossTable, lossTypes } from "../losses/index.ts";
import { type LossRecord, readsKl, type Unit } from "../losses/kinds.ts";
import type { Loss } from "../losses/loss.ts";
import { oldNames } from "../losses/old-names.ts";
import { beta, cpoAlpha, sharedParams } from "../losses/params.ts";
import { type Param, readNumber } from "../losses/ranges.ts";
import { unknownLoss } from "../losses/unknown.ts";
import type { FDivergence, LossOptions } from "../types.ts";
import type { DivergenceId } from "./divergences.ts";
import type { Argument } from "./logged.ts";
import { type RunningMean, readRunningMean } from "./running-mean.ts";

export { arrayKind, kindOf, shown } from "../messages.ts";

/** How the margin of a pair is formed: by which function of divergences.ts, with which constants. */
export interface Divergence {
  readonly id: DivergenceId;
  readonly constants: readonly number[];
}

/** The forms of a divergence: without the constants of its scores, and with them. */
interface Forms {
  readonly plain: Divergence;
  readonly anchored: Divergence;
}

/** One entry of the list of losses. */
export interface Term {
  readonly loss: LossRecord;
  readonly weight: number;
  /** Whether the reference counts as 0 in it. */
  readonly free: boolean;
  /** The hyperparameters in the order of the loss's table. */
  readonly params: readonly number[];
  /** Where the running mean, and the batch's KL, go among the parameters; −1 for nowhere. */
  readonly shiftAt: number;
  readonly klAt: number;
  /** Undefined for the reverse KL, whose margin is the difference of log-ratios. */
  readonly divergence: Divergence | undefined;
}

export interface Plan {
  readonly terms: readonly Term[];
  readonly beta: number;
  readonly shift: RunningMean | undefined;
  /** The weight of the NLL of the chosen rows, prompts included; 0 where no loss has one, or no tokens are seen. */
  readonly rowNll: number;
  /** What rewards are of where there is no reference and no loss wants one; undefined for log-ratios to 0. */
  readonly argument: Argument | undefined;
  /** Whether ORPO's odds are logged. */
  readonly odds: boolean;
  /** The NLL that the first loss to have one is logged with, in calls that see tokens. */
  readonly logged: LossRecord["nll"];
}

/** The loss of a call that names none: of TRL's DPOTrainer, and of its KTOTrainer. */
const byDefault: Readonly<Record<Unit, LossType>> = { pair: "sigmoid", row: "kto" };

/**
 * Plans what the loss options of a call ask for, as `readLossOptions` reads them; `unit` is what the call has losses of, `tokens`
 * whether it sees them.
 *
 * Throws    ParamError for unknown losses, values out of range, options that no loss asked for uses; KindError
 */
export function planLosses(options: LossOptions, unit: Unit = "pair", tokens = false): Plan {
  const { lossType = byDefault[unit], rewardShift } = options;
  const chosen = readLosses(lossType);
  checkUnits(chosen, unit);
  const weights = readWeights(options.lossWeights, chosen.length);
  const shift = typeof rewardShift === "object" ? readShift(rewardShift) : undefined;
  checkNames(options, chosen);
  const forms = readDivergence(options, chosen);
  const anchored = readConstants(options, chosen);
  const rewardBeta = readBeta(options, chosen);
  const nll = readNll(options, chosen);
  const terms: Term[] = [];
  let rowNll = 0;
  for (let j = 0; j < chosen.length; j++) {
    const loss = chosen[j] as LossRecord;
    const params: number[] = [];
    let [shiftAt, klAt] = [-1, -1];
    for (const name in loss.params) {
      const isShift = name === "rewardShift" && shift !== undefined;
      const isKl = name === "kl" && readsKl(loss);
      if (isShift) shiftAt = params.length;
      if (isKl) klAt = params.length;
      const param = loss.params[name] as Param;
      params.push(isShift || isKl ? 0 : readParam(options, name, param, loss.id));
    }
    // Constants cancel where both scores are divided alike.
    const form = loss.perToken && anchored ? forms?.anchored : forms?.plain;
    const divergence = loss.scored ? form : shapeOf(loss, params);
    const free = options.referenceFree === true || !loss.reference;
    const weight = weights?.[j] ?? 1;
    terms.push({ loss, weight, free, params, shiftAt, klAt, divergence });
    // A loss and its NLL are one: the weight is that of both.
    if (!tokens) continue;
    if (loss.nll === "row") rowNll += weight * nll.row;
    else if (loss.nll && nll.completion > 0) terms.push(completionNll(weight * nll.completion));
  }
  const logged = tokens ? chosen.find((loss) => loss.nll)?.nll : undefined;
  const odds = chosen.includes(lossTable.orpo);
  return { terms, beta: rewardBeta, shift, rowNll, argument: argumentOf(terms), odds, logged };
}

// That of the first loss of log-probs, where no other looks at a reference.
function argumentOf(terms: readonly Term[]): Argument | undefined {
  const first = terms.find(({ loss }) => loss.kind !== "likelihood");
  if (!first || terms.some(({ loss }) => loss.reference)) return undefined;
  return { perToken: first.loss.perToken, k: first.divergence?.constants[0] ?? 0 };
}

const completionNll = (weight: number): Term => {
  return { loss: lossTable.sft, weight, free: true, params: [], shiftAt: -1, klAt: -1, divergence: undefined };
};

/** What the negative log-likelihoods beside losses count: TRL's `cpo_alpha`, and 1 of ORPO's. */
function readNll(options: LossOptions, chosen: readonly LossRecord[]): { completion: number; row: number } {
  const { nll = true } = options;
  checkFlag(nll, "nll");
  const usersOf = (kind: LossRecord["nll"]): string => usedBy((loss) => loss.nll === kind);
  const has = (kind: LossRecord["nll"]): boolean => chosen.some((loss) => loss.nll === kind);
  if (!nll && !has("row")) throw unused("nll", chosen, usersOf("row"));
  const completion = readParam(options, "cpoAlpha", cpoAlpha, "losses of CPO");
  if (completion > 0 && !has("completion")) throw unused("cpoAlpha", chosen, usersOf("completion"));
  return { completion, row: nll ? 1 : 0 };
}

/**
 * AlphaPO: (1 − e^(−αs)) / α in place of each log-prob s is, up to a constant, a power of the α-divergence. Below 1e-20 it is s to the
 * last digit, and its powers would leave float32.
 */
function shapeOf(
  { params: table, reference, perToken }: LossRecord,
  params: readonly number[],
): Divergence | undefined {
  const alpha = reference ? undefined : params[Object.keys(table).indexOf("alphapoAlpha")];
  if (alpha === undefined || Math.abs(alpha) < 1e-20) return undefined;
  return { id: perToken ? "alphapo_mean" : "alphapo", constants: [-alpha] };
}

/** The plan of a call whose batch makes the running mean `shift`, or whose KL is `kl`. */
export const filledWith = (plan: Plan, { shift, kl }: { shift?: number; kl?: number }): Plan => ({
  ...plan,
  terms: plan.terms.map((term) => ({
    ...term,
    params: term.params.map((param, at) => (at === term.shiftAt ? shift : at === term.klAt ? kl : undefined) ?? param),
  })),
});

/** Whether a plan is of rows; of pairs otherwise. */
export const isOfRows = ({ terms }: Pick<Plan, "terms">): boolean => terms[0]?.loss.unit === "row";

// Where losses of either belong.
const places: Readonly<Record<Unit, string>> = {
  pair: "pairs, for pairLoss and tokens with pairs",
  row: "single rows, for unpairedLoss and tokens with rows",
};

// A batch is of pairs or of rows, and so are its losses.
function checkUnits(chosen: readonly LossRecord[], unit: Unit): void {
  const other = chosen.find((loss) => loss.unit !== unit);
  if (!other) return;
  const own = lossTypes.filter((id) => lossTable[id].unit === unit).join(", ");
  const got = `got ${quoted(other.id)}: it is a loss of ${places[other.unit]}`;
  throw new ParamError("unknown-loss", `lossType: expected one of ${own}, ${got}`);
}

// Every loss has rewards, and β scales them: also where no formula uses it. A loss of the user's may have its own range and
// default.
function readBeta(options: LossOptions, chosen: readonly LossRecord[]): number {
  const user = chosen.find(({ params }) => Object.hasOwn(params, "beta"));
  return readParam(options, "beta", user?.params["beta"] ?? beta, user?.id ?? "rewards");
}

function readLosses(lossType: NonNullable<LossOptions["lossType"]>): LossRecord[] {
  const list = isList(lossType) ? (lossType as readonly (string | Loss)[]) : [lossType as string | Loss];
  if (list.length === 0) throw outOfRange("lossType", "a loss", "an empty list");
  return list.map(readLoss);
}

const warned = new Set<string>();

function readLoss(name: string | Loss): LossRecord {
  if (isSettled(name)) return recordOfLoss(name);
  if (typeof name !== "string") throw wrongKind("lossType", "a name or a loss", name);
  if (Object.hasOwn(lossTable, name)) return lossTable[name as LossType];
  if (Object.hasOwn(oldNames, name)) {
    const old = oldNames[name] as (typeof oldNames)[string];
    if (!warned.has(name)) console.warn(`dpo-kernels: ${old.meaning}`);
    warned.add(name);
    return lossTable[old.id];
  }
  throw unknownLoss("lossType", name);
}

function readWeights(weights: readonly number[] | undefined, count: number): readonly number[] | undefined {
  if (weights === undefined) return undefined;
  if (!isList(weights)) {
    throw wrongKind("lossWeights", "a list of numbers", weights);
  }
  if (weights.length !== count) {
    throw outOfRange("lossWeights", `one number per loss (${count})`, weights.length);
  }
  for (let j = 0; j < count; j++) checkNumber(weights[j], `lossWeights[${j}]`);
  return weights;
}

function readParam(options: LossOptions, name: string, param: Param, user: string): number {
  return readNumber((options as Record<string, unknown>)[name], name, param, ` (${user})`);
}

// An option that nothing uses is refused: ignored, it would train another loss than the one asked for.
function checkNames(options: LossOptions, chosen: readonly LossRecord[]): void {
  for (const name in sharedParams) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || name === "beta" || value === sharedParams[name]?.default) continue;
    const uses = ({ params }: LossRecord): boolean => Object.hasOwn(params, name);
    if (!chosen.some(uses)) throw unused(name, chosen, usedBy(uses));
  }
}

const unused = (name: string, chosen: readonly LossRecord[], why: string): ParamError =>
  unusedOption(name, `not used by ${chosen.map((loss) => loss.id).join(", ")} (${why})`);

const usedBy = (uses: (loss: LossRecord) => boolean): string =>
  `used by ${lossTypes.filter((id) => uses(lossTable[id])).join(", ")}`;

/** Whether scores keep their constants. */
function readConstants(
  { fDivergence = "reverse_kl", fConstants = true }: LossOptions,
  chosen: readonly LossRecord[],
): boolean {
  checkFlag(fConstants, "fConstants");
  if (fConstants) return true;
  if (fDivergence === "reverse_kl") throw unusedOption("fConstants", "not used by reverse_kl, which has none");
  const feels = ({ scored, perToken }: LossRecord): boolean => scored && perToken;
  if (chosen.some(feels)) return false;
  throw unused("fConstants", chosen, usedBy(feels));
}

function readDivergence(options: LossOptions, chosen: readonly LossRecord[]): Forms | undefined {
  const { fDivergence = "reverse_kl", fAlpha, referenceFree = false } = options;
  checkFlag(referenceFree, "referenceFree");
  if (referenceFree && !chosen.some((loss) => loss.reference && loss.unit === "pair")) {
    throw unused(
      "referenceFree",
      chosen,
      chosen[0]?.reference ? "its rewards are against a reference" : "it has no reference",
    );
  }
  const isKnown = typeof fDivergence === "string" && Object.hasOwn(divergences, fDivergence);
  const make = isKnown ? divergences[fDivergence] : undefined;
  if (!make) throw noneOf("fDivergence", divergenceNames, fDivergence, lossSynonyms);
  if (fAlpha !== undefined) checkNumber(fAlpha, "fAlpha");
  if (fAlpha !== undefined && fAlpha !== 0.5 && fDivergence !== "alpha_divergence") {
    throw unusedOption("fAlpha", `not used by ${fDivergence} (used by alpha_divergence)`);
  }
  if (fDivergence === "reverse_kl") return undefined;
  const other = chosen.find((loss) => loss.reference && !loss.scored);
  if (other || !chosen.some((loss) => loss.reference)) {
    const name = (other ?? chosen[0])?.id;
    throw unusedOption("fDivergence", `${fDivergence} has no meaning for ${name} (${usedBy((loss) => loss.scored)})`);
  }
  return make(fAlpha ?? 0.5);
}

const js: Forms = {
  plain: { id: "js", constants: [] },
  anchored: { id: "js_anchored", constants: [] },
};

const power = (...constants: [k: number, cap: number]): Forms => ({
  plain: { id: "power", constants },
  anchored: { id: "power_anchored", constants },
});

// TRL's caps on the exponent of the α-divergence in float32; its fall-back to the log-ratio near α = 1.
const divergences: Readonly<Record<FDivergence, (alpha: number) => Forms | undefined>> = {
  reverse_kl: () => undefined,
  forward_kl: () => power(-1, Infinity),
  js_divergence: () => js,
  alpha_divergence: (alpha) => (Math.abs(alpha - 1) < 1e-6 ? undefined : power(alpha - 1, 80)),
};

/** The names of the divergences. */
export const divergenceNames = Object.keys(divergences) as readonly FDivergence[];

// Anything else would be read as no shift at all.
function readShift(value: RunningMean | null): RunningMean {
  const shift = value === null ? undefined : readRunningMean(value);
  if (shift) return shift;
  throw wrongKind("rewardShift", "a number or createRunningMean()", value);
}

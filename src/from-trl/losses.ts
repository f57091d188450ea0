// loss_type, loss_weights, rpo_alpha: which losses, with which weights.

import { didYouMean } from "../checks/hints.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { quoted } from "../checks/printable.ts";
import { outOfRange } from "../checks/refusals.ts";
import { ParamError } from "../errors.ts";
import { type LossType, lossTable } from "../losses/index.ts";
import { oldNames } from "../losses/old-names.ts";
import { unknownLoss } from "../losses/unknown.ts";
import type { Reading } from "./reading.ts";
import { configOf, lossOf, trainerLosses } from "./trainers.ts";

/** The losses asked for. `given` is false where the configuration leaves the choice to TRL's default, sigmoid. */
export interface Entries {
  readonly types: readonly LossType[];
  readonly weights: readonly number[] | undefined;
  readonly given: boolean;
}

export const isLossType = (name: string): name is LossType =>
  Object.hasOwn(lossTable, name) && lossTable[name as LossType].unit === "pair";

function resolve(name: string, where: string, { warn }: Reading): LossType {
  if (isLossType(name)) return name;
  const old = Object.hasOwn(oldNames, name) ? oldNames[name] : undefined;
  if (old) {
    warn("loss_type", `read as ${old.id}: ${old.meaning}`);
    return old.id;
  }
  throw unknownLoss(`config.${where}`, name);
}

/** The one loss of another trainer than DPO's. */
function readOther({ get, trainer }: Reading): Entries {
  const losses = Object.keys(trainerLosses[trainer]);
  const named = get("loss_type") ?? losses[0];
  const [name = "", ...more] = typeof named === "string" ? [named] : (named ?? []);
  const loss = lossOf(trainer, name);
  if (loss !== undefined && more.length === 0) return { types: [loss as LossType], weights: undefined, given: true };
  const hint = didYouMean(name, losses, { synonyms: lossSynonyms, show: quoted });
  const got = more.length > 0 ? "several" : `${quoted(name)}${hint}`;
  const expected = `expected one of ${losses.join(", ")} (${configOf(trainer)})`;
  throw new ParamError("unknown-loss", `config.loss_type: ${expected}, got ${got}`);
}

/** The losses and their weights; `rpo_alpha` becomes one more loss, `sft`. */
export function readEntries(reading: Reading): Entries {
  const { get, before, trl, warn, trainer } = reading;
  if (trainer !== "dpo") return readOther(reading);
  const named = get("loss_type");
  const names = named === undefined ? ["sigmoid"] : typeof named === "string" ? [named] : named;
  const types = names.map((name, i) => resolve(name, Array.isArray(named) ? `loss_type[${i}]` : "loss_type", reading));
  const weights = get("loss_weights")?.slice();
  if (weights && weights.length !== types.length) {
    throw outOfRange("config.loss_weights", `${types.length} numbers (one per loss)`, weights.length);
  }
  const alpha = get("rpo_alpha");
  if (alpha === undefined) return { types, weights, given: named !== undefined };

  // The RPO paper's first versions, and with them TRL before v0.10, put α on the other side (trl#1904).
  const swapped = before("0.10");
  if (alpha === 0 && !swapped) return { types, weights, given: named !== undefined };
  const since = before("0.29") ? "" : "; the option is gone since TRL v0.29";
  warn(
    "rpo_alpha",
    swapped
      ? `${trl} multiplies the losses by it and adds sft with weight 1: read so`
      : `read as one more loss, sft, of weight ${alpha}${since}`,
  );
  const others = weights ?? types.map(() => 1);
  return {
    types: [...types, "sft"],
    weights: swapped ? [...others.map((weight) => weight * alpha), 1] : [...others, alpha],
    given: true,
  };
}

/** Warns where a loss was another function, or had a state, in the version that is read. */
export function warnOfChanges({ types }: Entries, { before, trl, warn, get }: Reading): void {
  if (types.includes("bco_pair") && before("0.29") && !before("0.9.3")) {
    warn(
      "loss_type",
      `bco_pair in ${trl} shifts the rewards by their running mean; for that, add rewardShift: createRunningMean()`,
    );
  }
  if (types.includes("sft") && before("0.29") && !before("0.12")) {
    warn("loss_type", `sft in ${trl} leaves out tokens whose id is 0; here they count`);
  }
  if (!types.includes("ipo") || !before("0.29")) return;
  if (before("0.7.11")) {
    warn("loss_type", `ipo in ${trl} does not divide by completion length; here it does`);
  } else if (types.some((type) => type !== "ipo" && type !== "sft")) {
    warn(
      "loss_type",
      `in a list with ipo, ${trl} divides the log-probabilities by completion length for all losses of the list, and ` +
        "in the metrics; here, as in v0.29 and later, for ipo alone",
    );
  } else if ((get("f_divergence_type") ?? "reverse_kl") !== "reverse_kl") {
    warn("f_divergence_type", `with ipo, ${trl} divides by completion length before the divergence, here after it`);
  }
}

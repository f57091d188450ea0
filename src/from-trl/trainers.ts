// TRL's trainers of preferences: which of them a configuration is for, and what its losses are called here.

import { isList } from "../checks/lists.ts";
import { noneOf } from "../checks/refusals.ts";
import { ownersOf, type Trainer, trainers } from "./keys.ts";

/** The losses of each under the trainer's names, its default first; those of DPO are the table's. */
export const trainerLosses: Readonly<Record<Trainer, Readonly<Record<string, string>>>> = {
  dpo: {},
  cpo: { sigmoid: "cpo_sigmoid", hinge: "cpo_hinge", ipo: "cpo_ipo", simpo: "simpo", alphapo: "simpo" },
  orpo: { orpo: "orpo" },
  kto: { kto: "kto", apo_zero_unpaired: "apo_zero_unpaired" },
  bco: { bco: "bco" },
};

export const configOf = (trainer: Trainer): string => `${trainer.toUpperCase()}Config`;

/** The loss that a name stands for with a trainer: TRL's name, or that of the table. */
export function lossOf(trainer: Trainer, name: string): string | undefined {
  const losses = trainerLosses[trainer];
  if (Object.hasOwn(losses, name)) return losses[name];
  return Object.values(losses).includes(name) ? name : undefined;
}

/** The trainer of a loss, by its name in the table; DPO's for several. */
export const trainerOf = ([type, ...more]: readonly unknown[]): Trainer =>
  trainers.find((trainer) => more.length === 0 && Object.values(trainerLosses[trainer]).includes(type as string)) ??
  "dpo";

/** The trainer that is asked for. Throws    ParamError for another */
export function readTrainer(given: unknown): Trainer | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given === "string" && trainers.includes(given as Trainer)) return given as Trainer;
  throw noneOf("trainer", trainers, given);
}

/**
 * The trainer whose configuration this is, and the key that says so: one that no other trainer has, beside a loss of that trainer's;
 * or a loss that no other trainer has.
 */
export function recognise(config: Readonly<Record<string, unknown>>): { trainer: Trainer; key?: string } {
  const given = config["loss_type"] ?? undefined;
  const [name, second] = isList(given) ? given : [given];
  const fits = (trainer: Trainer): boolean =>
    given === undefined || (typeof name === "string" && second === undefined && lossOf(trainer, name) !== undefined);
  for (const key of Object.keys(config)) {
    const [trainer = "dpo", another] = ownersOf(key);
    const isOwn = trainer !== "dpo" && another === undefined && (config[key] ?? null) !== null;
    if (isOwn && fits(trainer)) return { trainer, key };
  }
  const shared = ["sigmoid", "hinge", "ipo"];
  const trainer = given === undefined || shared.includes(name as string) ? undefined : trainers.find(fits);
  return trainer ? { trainer, key: "loss_type" } : { trainer: "dpo" };
}

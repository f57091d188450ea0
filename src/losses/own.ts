// The function of a user's loss: what it throws, or returns in place of numbers, becomes an error that names the loss.

import { isList } from "../checks/lists.ts";
import { KindError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import type { LikelihoodLoss, Loss, MarginLoss, PairLoss } from "./define.ts";
import { losses } from "./index.ts";

/** Whether a loss is none of the table. */
export const isOwn = (loss: Loss): boolean => losses[loss.id as keyof typeof losses] !== loss;

const results = {
  margin: "[loss, dLoss/dd]",
  pair: "[loss, dLoss/da, dLoss/dc]",
  likelihood: "[loss, dLoss/dsum]",
} as const;

/** A function of numbers that returns numbers. */
type Numbers = (...args: number[]) => readonly number[];

/** The function of a loss; that of a user's throws a KindError in place of whatever it throws, and for what is no numbers. */
export function functionOf(loss: MarginLoss, part: "margin"): MarginLoss["margin"];
export function functionOf(loss: PairLoss, part: "pair"): PairLoss["pair"];
export function functionOf(loss: LikelihoodLoss, part: "likelihood"): LikelihoodLoss["likelihood"];
export function functionOf(loss: Loss, part: keyof typeof results): Numbers {
  const given = (loss as unknown as Readonly<Record<string, Numbers>>)[part] as Numbers;
  if (!isOwn(loss)) return given;
  const expected = `${loss.id}.${part}: expected ${results[part]}, numbers`;
  const count = part === "pair" ? 3 : 2;
  return (...args) => {
    let got: unknown;
    let numbers: unknown[] = [];
    try {
      got = given(...args);
      if (isList(got)) numbers = Array.from({ length: count }, (_, i) => (got as unknown[])[i]);
    } catch (cause) {
      throw new KindError(`${expected}, got a function that throws`, { cause });
    }
    if (numbers.length === count && numbers.every((each) => typeof each === "number")) return numbers as number[];
    throw new KindError(`${expected}, got ${isList(got) ? `[${numbers.map(kindOf).join(", ")}]` : kindOf(got)}`);
  };
}

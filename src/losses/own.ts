// The function of a user's loss: what it throws, or returns in place of numbers, becomes an error that names the loss.

import { isList } from "../checks/lists.ts";
import { KindError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import { lossTable } from "./index.ts";
import { type Described, type Formulas, type Kind, kinds, type LossRecord } from "./kinds.ts";

/** Whether a loss is none of the table. */
export const isOwn = (loss: LossRecord): boolean => lossTable[loss.id as keyof typeof lossTable] !== loss;

/** A function of numbers that returns numbers. */
type Numbers = (...args: number[]) => readonly number[];

/** The function of a loss; that of a user's throws a KindError in place of whatever it throws, and for what is no numbers. */
export const functionOf = <K extends Kind>(loss: Described<K> & LossRecord): Formulas[K] =>
  isOwn(loss) ? (guarded(loss) as Formulas[K]) : loss.formula;

function guarded({ id, kind, formula }: LossRecord): Numbers {
  const given: Numbers = formula;
  const { returns } = kinds[kind];
  const expected = `${id}.${kind}: expected [${returns.join(", ")}], numbers`;
  const count = returns.length;
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

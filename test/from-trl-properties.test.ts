// fromTrl: whatever configuration fast-check thinks of.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DpoError } from "../src/errors.ts";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { elsewhereKeys, type Key, knownKeys, ownersOf, readKeys, silentKeys } from "../src/from-trl/keys.ts";
import { type LossType, lossTable } from "../src/losses/index.ts";
import { oldNames } from "../src/losses/old-names.ts";
import { lossOf, refusal } from "./support/from-trl.ts";
import { pairTypes } from "./support/variants.ts";

/** The losses that a DPOConfig may ask for, of what somePairs() has. */
const dpoTypes = pairTypes.filter((type) => !/^(cpo_|simpo|orpo|rpo_)/.test(type));
/** Keys that a DPOConfig has. */
const isDpoKey = (key: string): boolean => ownersOf(key).includes("dpo");

describe("any configuration", () => {
  const text = fc.string({ maxLength: 6 });
  const positive = fc.double({ min: 1e-3, max: 10, noNaN: true });
  const real = fc.double({ min: -10, max: 10, noNaN: true });
  const count = fc.integer({ min: 1, max: 4096 });
  const byKind = {
    number: positive,
    count,
    multiple: fc.oneof(count, fc.constantFrom("auto", "8", "None")),
    integer: fc.integer(),
    id: fc.nat(),
    flag: fc.boolean(),
    text,
    divergence: fc.constantFrom("reverse_kl", "forward_kl", "js_divergence", "FDivergenceType.ALPHA_DIVERGENCE"),
    truncation: fc.constantFrom("keep_start", "keep_end"),
    object: fc.dictionary(text, fc.integer()),
  };
  const special: Partial<Record<Key, fc.Arbitrary<unknown>>> = {
    label_smoothing: fc.double({ min: 1e-6, max: 0.49, noNaN: true }),
    f_alpha_divergence_coef: real,
    rpo_alpha: real,
    ld_alpha: fc.double({ min: 0, max: 1, noNaN: true }),
  };
  const names = fc.array(fc.constantFrom(...dpoTypes, ...Object.keys(oldNames)), { minLength: 1, maxLength: 4 });
  const chosen = names.chain((list) =>
    fc.record(
      {
        loss_type: fc.constantFrom<unknown>(list, ...(list.length === 1 ? list : [])),
        loss_weights: fc.array(real, { minLength: list.length, maxLength: list.length }),
      },
      { requiredKeys: ["loss_type"] },
    ),
  );
  const valueFor = (key: Key): fc.Arbitrary<unknown> => {
    const kind = readKeys[key];
    const value = special[key] ?? (kind === "names" || kind === "numbers" ? fc.constant(null) : byKind[kind]);
    return fc.oneof({ weight: 4, arbitrary: value }, fc.constant(null));
  };
  const keys = Object.keys(readKeys).filter(
    (key): key is Key => key in readKeys && !/^loss_/.test(key) && isDpoKey(key),
  );
  const others = fc.dictionary(
    fc.constantFrom(...silentKeys, ...Object.keys(elsewhereKeys).filter(isDpoKey)),
    fc.anything(),
  );
  const read = fc.record(Object.fromEntries(keys.map((key) => [key, valueFor(key)])), { requiredKeys: [] });
  const config = fc.tuple(fc.option(chosen), read, others).map(([a, b, c]): TrlConfig => ({ ...c, ...b, ...a }));
  const version = fc.constantFrom(undefined, "0.7.5", "0.9.6", "0.12.0", "0.24.0", "0.28", "0.29.0", "1.9.2", "1.16.0");

  /** Options and the losses of a list that use them, from the table of losses alone. */
  const usedBy = (name: string, type: LossType): boolean => {
    if (name === "lossType" || name === "lossWeights") return true;
    const isMargin = lossTable[type].scored;
    if (name === "fDivergence" || name === "fAlpha") return isMargin;
    if (name === "fConstants") return type === "ipo" || type === "sigmoid_norm";
    return (
      name === "beta" ||
      Object.hasOwn(lossTable[type].params, name) ||
      (/^(ldAlpha|weighting|referenceFree)$/.test(name) && type !== "sft")
    );
  };

  /** Whether TRL since v1.10 refuses a divergence beside these losses. */
  const isRefused = (given: TrlConfig, at: string | undefined): boolean => {
    if (at !== undefined && at !== "1.16.0") return false;
    const { loss_type = "sigmoid", f_divergence_type = "reverse_kl", rpo_alpha } = given;
    if (f_divergence_type === null || f_divergence_type === "reverse_kl") return false;
    const names = [loss_type ?? "sigmoid", ...(rpo_alpha ? ["sft"] : [])].flat() as string[];
    return names.some((name) => {
      const type = (Object.hasOwn(oldNames, name) ? oldNames[name]?.id : name) as LossType;
      return type !== "sft" && !usedBy("fDivergence", type);
    });
  };

  it("that is valid is read, holds only what the losses use, and runs", () => {
    fc.assert(
      fc.property(config, version, (given, at) => {
        if (isRefused(given, at)) {
          expect(refusal(() => fromTrl(given, { version: at })).code).toBe("unused-option");
          return;
        }
        const { loss, warnings } = fromTrl(given, { version: at });
        const types = [loss.lossType ?? "sigmoid"].flat().filter((type): type is LossType => typeof type === "string");
        for (const [name, value] of Object.entries(loss)) {
          expect(value).toBeDefined();
          expect(types.some((type) => usedBy(name, type))).toBe(true);
        }
        for (const warning of warnings) expect(warning).toMatch(/^[a-z_0-9]+: .{10}/);
        expect(new Set(warnings).size).toBe(warnings.length);
        const { ldAlpha, weighting, ...forPairs } = loss;
        expect(typeof lossOf(forPairs)).toBe("number");
      }),
      { numRuns: 500 },
    );
  });

  it("is left as it is, and read the same way again", () => {
    const freeze = (value: unknown): void => {
      if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return;
      Object.values(Object.freeze(value)).forEach(freeze);
    };
    fc.assert(
      fc.property(config, version, (given, at) => {
        fc.pre(!isRefused(given, at));
        for (const value of Object.values(given)) if (Array.isArray(value)) freeze(value);
        Object.freeze(given);
        const before = { ...given };
        const once = fromTrl(given, { version: at });
        expect(given).toStrictEqual(before);
        expect(fromTrl(given, { version: at })).toStrictEqual(once);
      }),
    );
  });

  it("never fails but with an error of this package", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...knownKeys), fc.anything()), version, (given, at) => {
        try {
          fromTrl(given, { version: at });
        } catch (error) {
          expect(error).toBeInstanceOf(DpoError);
        }
      }),
    );
  });
});

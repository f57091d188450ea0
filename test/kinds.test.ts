// What kind a loss is, and what follows from it, is read from one table: nothing guesses it from the keys of a definition.

import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createJs, defineLoss, losses } from "../src/index.ts";
import { recordOfLoss } from "../src/losses/define.ts";
import { lossTable, lossTypes } from "../src/losses/index.ts";
import { describeLoss, kinds, pairColumns, pairResults } from "../src/losses/kinds.ts";
import { needsOf } from "../src/plan/needs.ts";
import { planLosses } from "../src/plan/plan.ts";
import { randomPairs } from "./support/pairs.ts";
import { pairTypes } from "./support/variants.ts";

it("no source asks which keys a loss has", () => {
  const guess = /"(margin|pair|likelihood|sorted|normalised)" in\b/;
  const files = globSync("{src,scripts,test}/**/*.ts").filter((file) => !file.endsWith("kinds.test.ts"));
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((file) => guess.test(readFileSync(file, "utf8")))).toEqual([]);
});

describe("the record of a loss", () => {
  it.each(lossTypes)("%s has the definition's function, under its kind", (id) => {
    const { kind, formula } = lossTable[id];
    expect(formula).toBe(losses[id][kind as never]);
    expect(recordOfLoss(losses[id])).toBe(lossTable[id]);
  });

  it("is made once of a definition that did not go through defineLoss", () => {
    const plain = { id: "plain", title: "", params: {}, margin: (d: number) => [d, 1] as const };
    const settled = defineLoss(plain);
    expect(recordOfLoss(settled)).toBe(recordOfLoss(settled));
    expect(describeLoss(plain)).toMatchObject({ kind: "margin", scored: true, perToken: false, batch: undefined });
  });

  it("of another kind knows nothing of what margins alone have", () => {
    const odd = {
      id: "odd",
      title: "",
      params: {},
      normalised: true,
      sorted: "margins",
      likelihood: (sum: number, tokens: number) => [sum, tokens] as const,
    };
    expect(describeLoss(odd as never)).toMatchObject({
      kind: "likelihood",
      perToken: false,
      batch: "likelihood",
      scored: false,
    });
  });
});

describe("the arrays of pairs", () => {
  const js = createJs();
  const pairs = { ...randomPairs(3, 5), pairWeights: Float32Array.of(1, 2, 3) };

  it("are those that pairLoss takes and gives", () => {
    expect(Object.keys(pairs).sort()).toEqual(pairColumns.map(({ name }) => name).sort());
    const { loss: _loss, metrics: _metrics, ...arrays } = js.pairLoss(pairs, { metrics: "full" });
    expect(Object.keys(arrays)).toEqual([...pairResults]);
  });

  it.each(pairTypes)("%s needs those that it says it reads, and no others", (id) => {
    for (const referenceFree of lossTable[id].reference ? [false, true] : [false]) {
      const options = { lossType: id, referenceFree };
      const needs: Readonly<Record<string, string | undefined>> = needsOf(planLosses(options));
      for (const { name, of } of pairColumns) {
        // Metrics take both policies' log-probs; half a reference is none.
        if (of === "policy" || of === "weights") continue;
        const { pairWeights: _, ...given } = randomPairs(3, 5) as Record<string, unknown>;
        const without = Object.keys(given).filter(
          (other) => other === name || (of === "reference" && /^ref/.test(other)),
        );
        const call = () =>
          js.pairLoss({ ...given, ...Object.fromEntries(without.map((one) => [one, undefined])) } as never, options);
        if (needs[name]) expect(call).toThrow(new RegExp(`expected with ${id}, got nothing$`));
        else expect(call).not.toThrow();
      }
    }
  });

  it.each(Object.entries(kinds))("every %s reads the chosen completions", (_kind, { reads }) => {
    expect(reads).toContain("policyChosen");
  });
});

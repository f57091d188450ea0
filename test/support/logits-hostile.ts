// fast-check's arbitraries for calls with logits: sound ones of any shape, and what spoils them.

import fc from "fast-check";
import type { LogitsLossOptions } from "../../src/types.ts";
import { separable } from "./arbitraries.ts";
import { toBits } from "./half.ts";
import { asBigInts, layouts, randomLogits } from "./logits.ts";
import { type HostileCall, spoils } from "./logits-spoils.ts";
import { rewardMargins } from "./pairs.ts";

export type { Fields, HostileCall } from "./logits-spoils.ts";

export const recipes = fc.record({
  pairs: fc.constantFrom(1, 2, 3, 5),
  length: fc.constantFrom(1, 2, 3, 6),
  vocab: fc.constantFrom(1, 2, 3, 4, 7, 16, 33),
  seed: fc.integer(),
  layout: fc.constantFrom("padded" as const, "packed" as const),
  type: fc.constantFrom("f32" as const, "f16" as const, "bf16" as const),
  reference: fc.constantFrom("logits" as const, "logps" as const),
  isBig: fc.boolean(),
  // ORPO's likelihood is over prompts too, which packed tokens do not hold.
  lossType: fc.constantFrom(...separable.filter((id) => id !== "orpo"), "sft", "aot"),
  options: fc.constantFrom<LogitsLossOptions>(
    {},
    { ldAlpha: 0.5 },
    { metrics: "full" },
    { inPlace: true },
    { gradType: "f32" },
  ),
});

export type Recipe = ReturnType<typeof recipes.generate>["value"];

/** The sound call of a recipe. */
export function callOf({
  pairs,
  length,
  vocab,
  seed,
  layout,
  type,
  reference,
  isBig,
  lossType,
  options,
}: Recipe): HostileCall {
  const { batch } = layouts[layout](randomLogits({ pairs, length, vocab, seed, holes: 0.2 }));
  const floats = (values: Float32Array) => (type === "f32" ? values.slice() : { [type]: toBits(type, values) });
  const tokens = Object.fromEntries(
    Object.entries(batch.tokens).map(([name, value]) => [
      name,
      isBig && typeof value !== "number" ? asBigInts(value) : value,
    ]),
  );
  const isWide = type !== "f32" && options.gradType === "f32";
  return {
    batch: {
      tokens,
      vocab,
      logits: floats(batch.logits),
      reference:
        reference === "logps"
          ? { logps: new Float64Array(2 * pairs).fill(-5) }
          : { logits: floats(batch.reference.logits) },
      ...(lossType.startsWith("rpo") ? { rewardMargin: rewardMargins(pairs) } : {}),
    },
    options: {
      lossType,
      ...options,
      ...(isWide ? { out: { gradLogits: new Float32Array(batch.logits.length) } } : {}),
    },
  };
}

/** A sound call and the names of what spoils it. */
export const hostile = fc.record({
  recipe: recipes,
  changes: fc.array(fc.constantFrom(...spoils.keys()), { maxLength: 3 }),
});
export type Hostile = ReturnType<typeof hostile.generate>["value"];

/** The spoilt call. */
export function spoiltCall({ recipe, changes }: Hostile): HostileCall {
  const call = callOf(recipe);
  for (const what of changes) spoils.get(what)?.apply(call);
  return call;
}

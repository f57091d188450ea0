// logitsLoss with a reference that is given as hidden states and a head: what its logits, written out, would give.

import { describe, expect, it } from "vitest";
import { createPool } from "../src/pool.ts";
import type { Floats, LogitsLossOptions, Reference } from "../src/types.ts";
import { wasm } from "./pool/support/pools.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { excessOver, magnitude, misses, missesBits } from "./support/compare.ts";
import { numbersOf, toBits } from "./support/half.ts";
import { logitsOf, randomLinear } from "./support/linear.ts";

/** A batch of logits, and its reference in both forms; `change` is made to the head's arrays. */
function makeCase(shape: { isPacked?: boolean; bias?: boolean; vocab?: number }, change = (values: Floats) => values) {
  const width = 13;
  const call = randomLinear({ pairs: 3, length: 8, vocab: 75, width, seed: 511, holes: 0.3, ...shape });
  const { tokens, vocab } = call;
  const { hidden, weight, bias } = call.reference;
  const head = { hidden: change(hidden), weight: change(weight), ...(bias && { bias: change(bias) }) };
  const batch = { tokens, vocab, logits: logitsOf(call, vocab, width) };
  return { batch, logits: logitsOf(head, vocab, width), head: shape.isPacked ? { ...head, hiddenSize: width } : head };
}

const cases = {
  "float32, padded": makeCase({}),
  "float32, packed, bias": makeCase({ isPacked: true, bias: true }),
  "several shards": makeCase({ vocab: 2900 }),
  bf16: makeCase({ bias: true }, (values) => ({ bf16: toBits("bf16", numbersOf(values)) })),
  f16: makeCase({ isPacked: true }, (values) => ({ f16: toBits("f16", numbersOf(values)) })),
};

const options: Record<string, LogitsLossOptions> = {
  sigmoid: { metrics: "full" },
  "several losses, ldAlpha": { lossType: ["ipo", "sft"], ldAlpha: 0.5 },
  "in place": { lossType: "hinge", inPlace: true },
};

async function run(backend: AnyBackend, { batch }: ReturnType<typeof makeCase>, reference: Reference, own: object) {
  const { gradLogits, ...result } = await backend.logitsLoss(
    { ...batch, logits: batch.logits.slice(), reference },
    own,
  );
  return { ...result, gradLogits: gradLogits as Float32Array };
}

onEachBackend((backend) => {
  describe.each(Object.entries(cases))("%s", (_name, given) => {
    it.each(Object.entries(options))("%s", async (_options, own) => {
      const want = await run(backend, given, { logits: given.logits }, own);
      const got = await run(backend, given, given.head, own);
      const within = (name: "losses" | "gradLogits") => {
        const bound = 2e-5 * magnitude(want[name]);
        return misses(name, got[name], want[name], (g, w) => excessOver(bound, g, w));
      };
      expect([...within("losses"), ...within("gradLogits")]).toEqual([]);
      expect([...got.logps]).toEqual([...want.logps]);
    });
  });

  it("a number that is none in what counts is refused, if that is asked for", async () => {
    const given = cases["float32, padded"];
    const weight = (given.head.weight as Float32Array).with(7, Number.NaN);
    const call = run(backend, given, { ...given.head, weight }, { validate: "finite" });
    await expect(call).rejects.toThrow("reference.weight[7]: expected a finite number, got NaN");
  });

  it("results do not go over what is read of it", async () => {
    const given = cases["float32, padded"];
    const losses = (given.head.weight as Float32Array).subarray(0, 3);
    const call = run(backend, given, given.head, { out: { losses } });
    await expect(call).rejects.toMatchObject({ name: "ShapeError", code: "overlap" });
  });
});

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it.each([1, 3])("%d workers give the bits of one thread", async (workers) => {
    await using pool = await createPool({ workers, memory, relaxed: false });
    for (const given of Object.values(cases)) {
      const [got, want] = [await run(pool, given, given.head, {}), await run(wasm, given, given.head, {})];
      expect(missesBits(got, want)).toEqual([]);
      expect(got.gradLogits).toEqual(want.gradLogits);
    }
  });
});

// gradScale, accumulate, out; the same bits again; values that are no numbers; slopes of the loss.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { Floats, LinearLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses, missesSame } from "./support/compare.ts";
import { numbersOf, toBits } from "./support/half.ts";
import { gradientsOf, type LinearCase, missesOfLinearBits, randomLinear } from "./support/linear.ts";

const base = { pairs: 3, length: 7, vocab: 45, width: 13, seed: 411 };
const plain = randomLinear({ ...base, bias: true });
const adapted = randomLinear({ ...base, rank: 3 });

/** A call whose hidden states of sequence r are changed. */
function spoiled(call: LinearCase, r: number, value: number): LinearCase {
  const { length } = base;
  return { ...call, hidden: (call.hidden as Float32Array).slice().fill(value, r * length * 13, (r + 1) * length * 13) };
}

onEachBackend((backend) => {
  it("gradScale multiplies all gradients", async () => {
    for (const call of [plain, adapted]) {
      const once = gradientsOf(await backend.linearLoss(call));
      const scaled = gradientsOf(await backend.linearLoss(call, { gradScale: -8 }));
      for (const [name, values] of Object.entries(once)) {
        const want = Float64Array.from(values, (x: number) => -8 * x);
        const near = (g: number, w: number) => excessOver(1e-6 * magnitude(want), g, w);
        expect(misses(name, scaled[name] ?? [], want, near)).toEqual([]);
      }
    }
  });

  it("accumulate adds to the gradients of the head, and to them alone", async () => {
    for (const call of [plain, adapted]) {
      const first = await backend.linearLoss(call);
      const { gradHidden, gradWeight, gradBias, gradA, gradB } = first;
      const want = gradientsOf(first);
      const out = Object.fromEntries(
        Object.entries({ gradHidden, gradWeight, gradBias, gradA, gradB })
          .filter(([, floats]) => floats)
          .map(([name, floats]) => [name, (floats as Float32Array).slice()]),
      );
      const second = gradientsOf(await backend.linearLoss(call, { out, accumulate: true }));
      for (const [name, values] of Object.entries(want)) {
        const times = name === "gradHidden" ? 1 : 2;
        expect(
          missesSame(
            name,
            second[name] ?? [],
            Float32Array.from(values, (x) => times * x),
          ),
        ).toEqual([]);
      }
    }
  });

  it("accumulate in half types rounds the sum once", async () => {
    const weight = { bf16: toBits("bf16", plain.weight as Float32Array) };
    const call = { ...plain, weight, bias: undefined };
    const wide = (await backend.linearLoss(call, { gradType: "f32" })).gradWeight as Float32Array;
    const start = toBits(
      "bf16",
      Float32Array.from(wide, (x, i) => x * Math.cos(i)),
    );
    const want = toBits(
      "bf16",
      numbersOf({ bf16: start }).map((x, i) => x + (wide[i] as number)),
    );
    const out = { gradWeight: { bf16: start.slice() } };
    const got = (await backend.linearLoss(call, { out, accumulate: true })).gradWeight as { bf16: Uint16Array };
    // The js backend adds in float64, so that ties may fall otherwise.
    const others = got.bf16.filter((bits, i) => bits !== want[i]).length;
    expect(others).toBeLessThanOrEqual(backend.name === "js" ? 2 : 0);
  });

  it("the same call gives the same bits, whatever came before", async () => {
    const options: LinearLossOptions = { metrics: "full", lossType: ["ipo", "sft"] };
    const want = await backend.linearLoss(plain, options);
    await backend.linearLoss(spoiled(adapted, 0, Number.NaN));
    await backend.linearLoss(randomLinear({ ...base, pairs: 1, vocab: 1200, width: 40 }));
    expect(missesOfLinearBits(await backend.linearLoss(plain, options), want)).toEqual([]);
  });

  it("hidden states that do not count are not read, and have gradient 0", async () => {
    const { completionMask, length } = plain.tokens as { completionMask: Uint8Array; length: number };
    const counts = (at: number): boolean => at % length < length - 1 && completionMask[at + 1] === 1;
    const hidden = (plain.hidden as Float32Array).map((x, i) => (counts(Math.floor(i / 13)) ? x : Number.NaN));
    const want = await backend.linearLoss(plain);
    const out = { gradHidden: new Float32Array(hidden.length).fill(7) };
    const got = await backend.linearLoss({ ...plain, hidden }, { out });
    expect(missesOfLinearBits(got, want)).toEqual([]);
    expect(out.gradHidden.every((x, i) => counts(Math.floor(i / 13)) || x === 0)).toBe(true);
  });

  it("a NaN spoils its own pair, and the head's gradients", async () => {
    const call = { ...plain, reference: { logps: new Float64Array(6).fill(-9) } };
    const want = await backend.linearLoss(call);
    const got = await backend.linearLoss(spoiled(call as never, 0, Number.NaN));
    const nan = (values: Float32Array) => Array.from(values, Number.isNaN);
    expect(nan(got.losses)).toEqual([true, false, false]);
    expect(nan(got.gradChosen)).toEqual([true, false, false]);
    const own = (floats: Floats, r: number) => (floats as Float32Array).subarray(r * 7 * 13, (r + 1) * 7 * 13);
    for (const r of [1, 2, 4, 5]) expect(own(got.gradHidden, r)).toEqual(own(want.gradHidden, r));
    expect(nan(got.gradWeight as Float32Array)).not.toContain(false);
  });

  it("what has no gradient spoils nothing", async () => {
    // sft does not look at the rejected.
    const options = { lossType: "sft" } as const;
    const want = await backend.linearLoss(plain, options);
    const got = await backend.linearLoss(spoiled(plain, 4, Infinity), options);
    expect(missesSame("gradWeight", numbersOf(got.gradWeight as Floats), numbersOf(want.gradWeight as Floats))).toEqual(
      [],
    );
    expect(missesSame("gradHidden", numbersOf(got.gradHidden), numbersOf(want.gradHidden))).toEqual([]);
  });

  it("ids with a bias of -Infinity have no probability and no gradient", async () => {
    const bias = (plain.bias as Float32Array).slice();
    const { inputIds } = plain.tokens as { inputIds: Int32Array };
    const masked = Array.from({ length: 45 }, (_, v) => v).filter((v) => !inputIds.includes(v));
    for (const v of masked) bias[v] = -Infinity;
    expect(masked.length).toBeGreaterThan(3);
    const { gradHidden, gradWeight, gradBias, loss } = await backend.linearLoss({ ...plain, bias });
    expect(Number.isFinite(loss)).toBe(true);
    expect((gradHidden as Float32Array).every(Number.isFinite)).toBe(true);
    for (const v of masked) {
      expect((gradBias as Float32Array)[v]).toBe(0);
      expect((gradWeight as Float32Array).subarray(v * 13, (v + 1) * 13).every((x) => x === 0)).toBe(true);
    }
  });
});

describe("gradients are the slopes of the loss", () => {
  const js = createJs();
  const arrays = { hidden: "gradHidden", weight: "gradWeight", bias: "gradBias", a: "gradA", b: "gradB" } as const;

  it.each(["sigmoid", "ipo", "sppo_hard", "sft"] as const)("%s", (lossType) => {
    for (const call of [plain, adapted]) {
      const options = { lossType, beta: 0.5, ...(lossType === "sft" && { beta: undefined }) };
      const got = gradientsOf(js.linearLoss(call, options));
      for (const [field, name] of Object.entries(arrays)) {
        const values = (field in call ? call[field as "bias"] : call.lora?.[field as "a"]) as Float32Array | undefined;
        const gradient = got[name];
        if (!values || !gradient) continue;
        for (const at of [3, 17, 31].map((k) => (k * 7) % values.length)) {
          const lossAt = (step: number): number => {
            const moved = values.with(at, (values[at] as number) + step);
            const change = field in call ? { [field]: moved } : { lora: { ...call.lora, [field]: moved } };
            return js.linearLoss({ ...call, ...(change as object) }, options).loss;
          };
          const start = values[at] as number;
          const step = (size: number): number => Math.fround(start + size) - start;
          const slope = (lossAt(step(2 ** -9)) - lossAt(step(-(2 ** -9)))) / (step(2 ** -9) - step(-(2 ** -9)));
          expect(Math.abs((gradient[at] as number) - slope)).toBeLessThan(2e-4 * magnitude(gradient) + 1e-9);
        }
      }
    }
  });
});

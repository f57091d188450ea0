// Transformed logits may stand in the gradient's array between the two passes: whatever that array is, and whatever else lies
// there, the result has the same bits.

import { describe, expect, it } from "vitest";
import { defineLoss } from "../src/index.ts";
import { onEachBackend, onEachWasm } from "./support/backends.ts";
import { missesSame } from "./support/compare.ts";
import { randomLogits } from "./support/logits.ts";

const shapes = {
  "short rows": randomLogits({ pairs: 3, length: 7, vocab: 37, seed: 81, holes: 0.2 }),
  "long rows": randomLogits({ pairs: 1, length: 3, vocab: 4_101, seed: 82 }),
};
const transforms = { softcap: { logitSoftcap: 3 }, scale: { logitScale: 0.7 } };

const fails = defineLoss({
  id: "fails",
  title: "a loss that throws",
  params: { beta: { default: 0.1, min: 0, max: 10 } },
  margin: () => {
    throw new RangeError("of the caller's own");
  },
});

onEachBackend((backend) => {
  describe.each(Object.entries(shapes))("%s", (_shape, { reference, ...batch }) => {
    describe.each(Object.entries(transforms))("%s", (_name, transform) => {
      const logps = Float64Array.from({ length: 2 * batch.tokens.pairs }, (_, i) => -20 - i);

      it("over the logits, into another array, or a new one", async () => {
        const call = { ...batch, reference: { logps } };
        const want = (await backend.logitsLoss(call, transform)).gradLogits as Float32Array;
        const logits = batch.logits.slice();
        await backend.logitsLoss({ ...call, logits }, { ...transform, inPlace: true });
        const gradLogits = new Float32Array(logits.length).fill(Number.NaN);
        const out = await backend.logitsLoss(call, { ...transform, out: { gradLogits } });
        expect(out.gradLogits).toBe(gradLogits);
        expect([...missesSame("in place", logits, want), ...missesSame("out", gradLogits, want)]).toEqual([]);
      });

      it("over the reference's logits, which are read after the policy's", async () => {
        const want = await backend.logitsLoss({ ...batch, reference }, transform);
        const other = reference.logits.slice();
        const got = await backend.logitsLoss(
          { ...batch, reference: { logits: other } },
          { ...transform, out: { gradLogits: other } },
        );
        expect(got.loss).toBe(want.loss);
        expect(missesSame("gradLogits", other, want.gradLogits as Float32Array)).toEqual([]);
      });

      it("over logits that are the reference's too", async () => {
        const want = await backend.logitsLoss({ ...batch, reference: { logits: batch.logits } }, transform);
        const logits = batch.logits.slice();
        const got = await backend.logitsLoss(
          { ...batch, logits, reference: { logits } },
          { ...transform, inPlace: true },
        );
        expect(got.loss).toBe(want.loss);
        expect(missesSame("gradLogits", logits, want.gradLogits as Float32Array)).toEqual([]);
      });

      it("of entropies and log-probs, over the logits", async () => {
        const positions = batch.logits.length / batch.vocab;
        const slopes = {
          tokenLogps: Float32Array.from({ length: positions }, (_, i) => Math.sin(i)),
          entropy: Float32Array.from({ length: positions }, (_, i) => (i % 3 === 0 ? 0 : Math.cos(i))),
        };
        const want = await backend.sequenceLogpsGrad(batch, slopes, transform);
        const logits = batch.logits.slice();
        await backend.sequenceLogpsGrad({ ...batch, logits }, slopes, { ...transform, inPlace: true });
        expect(missesSame("gradLogits", logits, want.gradLogits as Float32Array)).toEqual([]);
      });

      it("logits stay as they are where a loss of the caller's own throws", async () => {
        const logits = batch.logits.slice();
        const call = async () =>
          backend.logitsLoss(
            { ...batch, logits, reference: { logps } },
            { ...transform, inPlace: true, lossType: fails },
          );
        await expect(call()).rejects.toThrow();
        expect(missesSame("logits", logits, batch.logits)).toEqual([]);
      });
    });
  });
});

onEachWasm((backend) => {
  describe.each(Object.entries(shapes))("%s", (_shape, { reference, ...batch }) => {
    it.each(Object.entries(transforms))("%s, in memory of the backend's", async (_name, transform) => {
      const call = { ...batch, reference };
      const want = (await backend.logitsLoss(call, transform)).gradLogits as Float32Array;
      const logits = backend.allocate("f32", batch.logits.length);
      const gradLogits = backend.allocate("f32", batch.logits.length);
      logits.set(batch.logits);
      await backend.logitsLoss({ ...call, logits }, { ...transform, out: { gradLogits } });
      const { tokenLogps } = await backend.sequenceLogps({ ...batch, logits }, transform);
      const { tokenLogps: wanted } = await backend.sequenceLogps(batch, transform);
      expect(missesSame("out", gradLogits, want)).toEqual([]);
      expect(missesSame("tokenLogps", tokenLogps, wanted)).toEqual([]);
      await backend.logitsLoss({ ...call, logits }, { ...transform, inPlace: true });
      expect(missesSame("in place", logits, want)).toEqual([]);
      backend.free(logits);
      backend.free(gradLogits);
    });
  });
});

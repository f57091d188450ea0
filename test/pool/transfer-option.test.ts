// `transfer: true` gives the logits away: their buffer is detached and no other; without it nothing ever is.

import { describe, expect, it } from "vitest";
import type { LogitsLossOptions } from "../../src/types.ts";
import { toBits } from "../support/half.ts";
import { missesOfBits } from "../support/logits-results.ts";
import { large, poolOf, small, wasm } from "./support/pools.ts";

const isDetached = ({ buffer }: ArrayBufferView): boolean => (buffer as ArrayBuffer).detached;
const arraysIn = (value: unknown): ArrayBufferView[] => {
  if (ArrayBuffer.isView(value)) return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(arraysIn) : [];
};

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  it.each([
    ["one shard", () => structuredClone(small)],
    ["several shards", () => large()],
  ])("%s: exactly the logits are detached, and the gradient comes back in their buffer", async (_name, make) => {
    const pool = await poolOf({ memory });
    const batch = make();
    const want = wasm.logitsLoss(make(), { metrics: "full" });
    const { logits } = batch;
    const size = logits.byteLength;
    const got = await pool.logitsLoss(batch, { metrics: "full", transfer: true });
    expect(missesOfBits(got, want)).toEqual([]);
    expect(arraysIn(batch).filter(isDetached)).toEqual([logits]);
    expect(arraysIn(got).some(isDetached)).toBe(false);
    expect((got.gradLogits as Float32Array).buffer.byteLength).toBe(size);
  });

  it("half types come back in the form that they went in", async () => {
    const pool = await poolOf({ memory });
    const bits = () => ({ bf16: toBits("bf16", small.logits) });
    const want = wasm.logitsLoss({ ...small, logits: bits() });
    const logits = bits();
    const got = await pool.logitsLoss({ ...small, logits }, { transfer: true });
    expect(isDetached(logits.bf16)).toBe(true);
    expect(missesOfBits(got, want)).toEqual([]);
    const wide = await pool.logitsLoss({ ...small, logits: bits() }, { transfer: true, gradType: "f32" });
    expect(missesOfBits(wide, wasm.logitsLoss({ ...small, logits: bits() }, { gradType: "f32" }))).toEqual([]);
  });

  it("sequenceLogps takes logits too", async () => {
    const pool = await poolOf({ memory });
    const batch = structuredClone(small);
    const got = await pool.sequenceLogps(batch, { transfer: true });
    expect(got).toEqual(wasm.sequenceLogps(small));
    expect(arraysIn(batch).filter(isDetached)).toEqual([batch.logits]);
  });

  it.each([undefined, false])("transfer: %s detaches nothing, in any call", async (transfer) => {
    const pool = await poolOf({ memory });
    const batch = structuredClone(small);
    const before = structuredClone(batch);
    const options = { lossType: "aot", transfer } satisfies LogitsLossOptions;
    await pool.logitsLoss(batch, options);
    await pool.sequenceLogps(batch, { transfer });
    const pairs = { policyChosen: new Float32Array(40), policyRejected: new Float32Array(40) };
    await pool.pairLoss(pairs, { referenceFree: true, lossType: "sigmoid", transfer });
    expect([...arraysIn(batch), ...arraysIn(pairs)].some(isDetached)).toBe(false);
    expect(batch).toEqual(before);
  });

  it("is refused where there is nothing to give away, and then detaches nothing", async () => {
    const pool = await poolOf({ memory });
    const batch = structuredClone(small);
    const logits = new Float32Array(batch.logits.length + 4).subarray(4);
    const refused = { name: "ParamError", code: "unused-option" };
    await expect(pool.logitsLoss({ ...batch, logits }, { transfer: true })).rejects.toMatchObject(refused);
    const pairs = { policyChosen: new Float32Array(4), policyRejected: new Float32Array(4) };
    const call = pool.pairLoss(pairs, { referenceFree: true, transfer: true });
    await expect(call).rejects.toMatchObject(refused);
    await expect(pool.logitsLoss(batch, { transfer: 1 as never })).rejects.toMatchObject({ name: "KindError" });
    await expect(pool.logitsLoss(batch, { transfer: true, beta: 0 })).rejects.toThrow(/^beta/);
    expect([batch.logits, logits, pairs.policyChosen].some(isDetached)).toBe(false);
  });
});

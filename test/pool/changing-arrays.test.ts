// Arrays that are detached, or whose buffers shrink, while a call waits or runs: the right number, or a typed refusal. A refusal
// before the last pass has written nothing.

import { setTimeout } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { DpoError } from "../../src/index.ts";
import type { AsyncBackend, LinearBatch, LogitsBatch, Reference } from "../../src/types.ts";
import { randomLinear } from "../support/linear.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { errorOf, large, poolOf, small, wasm } from "./support/pools.ts";

vi.setConfig({ testTimeout: 60_000 });

type Batch = LogitsBatch & { reference: Reference; logits: Float32Array };

/** A copy whose buffer can be resized. */
function resizable(array: Float32Array): Float32Array {
  const buffer = new ArrayBuffer(array.byteLength, { maxByteLength: 2 * array.byteLength });
  const copy = new Float32Array(buffer);
  copy.set(array);
  return copy;
}

const changes: Record<string, (array: Float32Array) => void> = {
  detached: ({ buffer }) => void structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }),
  "shrunk to half": ({ buffer }) => (buffer as ArrayBuffer).resize(4 * Math.floor(buffer.byteLength / 8)),
  "shrunk to nothing": ({ buffer }) => (buffer as ArrayBuffer).resize(0),
};

const whole = large(14_000);
const wholeReference = { logits: whole.logits.map((x) => x * 0.5) };
const wanted = wasm.logitsLoss({ ...whole, reference: wholeReference });
const linearBatch = randomLinear({ pairs: 2, length: 7, vocab: 5000, width: 24, seed: 9 });
const wantedLinear = wasm.linearLoss(linearBatch);

const fresh = (length: number): Float32Array => resizable(new Float32Array(length).fill(7));
const of = (pairs: number) => ({ losses: fresh(pairs), gradChosen: fresh(pairs), gradRejected: fresh(pairs) });

/** A call of logitsLoss, with the arrays that may change. */
function logitsCall(pool: AsyncBackend, onProgress: () => void) {
  const logits = resizable(whole.logits);
  const reference = { logits: resizable(wholeReference.logits) };
  const out = { ...of(4), gradLogits: fresh(logits.length) };
  const arrays = {
    logits,
    "reference.logits": reference.logits,
    "out.gradLogits": out.gradLogits,
    "out.losses": out.losses,
  };
  const call = pool.logitsLoss({ ...whole, logits, reference }, { out, onProgress });
  return { arrays: arrays as Record<string, Float32Array>, out, call, loss: wanted.loss };
}

function linearCall(pool: AsyncBackend, onProgress: () => void) {
  const { hidden, weight } = linearBatch as LinearBatch & { hidden: Float32Array; weight: Float32Array };
  const batch = { ...linearBatch, hidden: resizable(hidden), weight: resizable(weight) };
  const out = { ...of(2), gradWeight: fresh(weight.length), gradHidden: fresh(hidden.length) };
  const arrays = {
    hidden: batch.hidden,
    weight: batch.weight,
    "out.gradWeight": out.gradWeight,
    "out.gradHidden": out.gradHidden,
  };
  const call = pool.linearLoss(batch, { out, onProgress });
  return { arrays: arrays as Record<string, Float32Array>, out, call, loss: wantedLinear.loss };
}

const subjects = [
  ...["logits", "reference.logits", "out.gradLogits", "out.losses"].map((name) => [name, logitsCall] as const),
  ...["hidden", "weight", "out.gradWeight", "out.gradHidden"].map((name) => [name, linearCall] as const),
];

// Of a detached array nothing is left to look at.
const untouched = (out: Record<string, Float32Array>): boolean =>
  Object.values(out).every((array) => array.length === 0 || !array.some((x) => x !== 7));

describe.each(["shared", "transfer"] as const)("memory: %s", (memory) => {
  describe.each(subjects)("%s", (name, start) => {
    it.each(Object.entries(changes))(
      "%s while the call waits: refused, and nothing is written",
      async (_how, change) => {
        const { createWorker, close, open, begun } = unrulyWorkers();
        const pool = await poolOf({ workers: 1, memory, createWorker });
        close();
        const others = [pool.sequenceLogps(small), pool.sequenceLogps(small)];
        await begun(1);
        const { call, arrays, out } = start(pool, () => {});
        const settled = errorOf(call);
        change(arrays[name] as Float32Array);
        open();
        const error = await settled;
        expect(error).toBeInstanceOf(DpoError);
        expect(error).toMatchObject({
          code: "wrong-length",
          message: expect.stringMatching(`^${name}: .*while the call ran`),
        });
        expect(untouched(out)).toBe(true);
        await Promise.all(others);
      },
    );

    it.each([1, 2, 4])("changes at the %ith progress: the right number, or a DpoError", async (at) => {
      const pool = await poolOf({ workers: 2, memory });
      for (const change of Object.values(changes).slice(0, 2)) {
        let seen = 0;
        let arrays: Record<string, Float32Array> = {};
        const made = start(pool, () => {
          if (++seen === at) change(arrays[name] as Float32Array);
        });
        ({ arrays } = made);
        await expectRightOrTyped(made);
      }
    });

    it("changes some time later", async () => {
      const pool = await poolOf({ workers: 2, memory });
      for (const wait of [0, 4]) {
        const made = start(pool, () => {});
        const done = expectRightOrTyped(made);
        await setTimeout(wait);
        changes["shrunk to half"]?.(made.arrays[name] as Float32Array);
        await done;
      }
    });
  });

  it("pairLoss: a sorted batch whose arrays shrink while it waits", async () => {
    const { createWorker, close, open, begun } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, memory, createWorker });
    close();
    const others = [pool.sequenceLogps(small), pool.sequenceLogps(small)];
    await begun(1);
    for (const name of ["policyChosen", "losses"]) {
      const pairs = { policyChosen: fresh(64), policyRejected: fresh(64) };
      const out = of(64);
      const settled = errorOf(pool.pairLoss(pairs, { lossType: "aot", referenceFree: true, out }));
      changes["detached"]?.({ ...pairs, ...out }[name] as Float32Array);
      open();
      expect(await settled).toMatchObject({ name: "ShapeError", code: "wrong-length" });
      expect(untouched(out)).toBe(true);
    }
    await Promise.all(others);
  });

  describe("transfer: true", () => {
    const batch = (): Batch => ({ ...structuredClone(small), reference: { logps: new Float64Array(6) } }) as Batch;

    it("with anything else in the logits' buffer: refused, and nothing is lost", async () => {
      const pool = await poolOf({ memory });
      const { logits } = batch();
      const inBuffer = {
        "reference.logits": { reference: { logits } },
        "reference.logps": { reference: { logps: logits.subarray(0, 6) } },
        "reference.hidden": { reference: { hidden: logits, weight: new Float32Array(37 * 37), hiddenSize: 37 } },
        "tokens.inputIds": { tokens: { ...small.tokens, inputIds: new Int32Array(logits.buffer, 0, 36) } },
      };
      for (const [name, other] of Object.entries(inBuffer)) {
        const error = await errorOf(pool.logitsLoss({ ...batch(), logits, ...other }, { transfer: true }));
        expect(error).toMatchObject({ name: "ShapeError", code: "overlap", message: expect.stringContaining(name) });
        expect(logits).toEqual(small.logits);
      }
      const out = { losses: logits.subarray(0, 3) };
      const error = await errorOf(pool.logitsLoss({ ...batch(), logits }, { transfer: true, out }));
      expect(error).toMatchObject({ name: "ShapeError", code: "overlap" });
      expect(logits).toEqual(small.logits);
    });

    it("to two calls: one has the right number, the other is refused", async () => {
      const pool = await poolOf({ memory });
      const given = batch();
      const want = wasm.logitsLoss(batch()).loss;
      const results = await Promise.allSettled([1, 2].map(() => pool.logitsLoss(given, { transfer: true })));
      expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      for (const result of results) {
        if (result.status === "fulfilled") expect(result.value.loss).toBe(want);
        else expect(result.reason).toMatchObject({ name: "ShapeError", code: "wrong-length" });
      }
    });

    it("a call that shares the logits with one that gives them away", async () => {
      const pool = await poolOf({ memory });
      const given = batch();
      const want = wasm.logitsLoss(batch()).loss;
      const results = await Promise.allSettled([
        pool.logitsLoss(given),
        pool.logitsLoss(given, { transfer: true }),
        pool.logitsLoss(given),
      ]);
      for (const result of results) {
        if (result.status === "fulfilled") expect(result.value.loss).toBe(want);
        else expect(result.reason).toBeInstanceOf(DpoError);
      }
      expect(results.some(({ status }) => status === "fulfilled")).toBe(true);
    });

    it("memory that cannot be moved is refused, and stays", async () => {
      const pool = await poolOf({ memory });
      const { buffer } = new WebAssembly.Memory({ initial: 1 });
      const logits = new Float32Array(buffer);
      const tokens = { pairs: 2, offsets: Int32Array.of(0, 4, 8, 12, 16), targets: new Int32Array(16) };
      const given = { tokens, vocab: 1024, logits, reference: { logps: new Float64Array(4) } };
      const error = await errorOf(pool.logitsLoss(given, { transfer: true }));
      expect(error).toMatchObject({ name: "ParamError", code: "unused-option" });
      expect(logits.length).toBe(16384);
    });

    it("Float16Array logits move, and come back as they went", async () => {
      const pool = await poolOf({ memory });
      const logits = Float16Array.from(small.logits);
      const want = wasm.logitsLoss({ ...batch(), logits: Float16Array.from(small.logits) });
      const got = await pool.logitsLoss({ ...batch(), logits }, { transfer: true });
      expect(logits.length).toBe(0);
      expect(got.gradLogits).toEqual(want.gradLogits);
    });

    it("a call that is refused, or whose queue is full, has given nothing away", async () => {
      const { createWorker, close, open, begun } = unrulyWorkers();
      const pool = await poolOf({ workers: 1, memory, createWorker, maxQueue: 0 });
      const given = batch();
      for (const options of [{ beta: 0 }, { nonsense: 1 }, { lossType: "x" }, { out: { losses: fresh(2) } }]) {
        expect(await errorOf(pool.logitsLoss(given, { ...options, transfer: true } as never))).toBeInstanceOf(DpoError);
      }
      close();
      const others = [1, 2].map(() => pool.sequenceLogps(small));
      await begun(1);
      expect(await errorOf(pool.logitsLoss(given, { transfer: true }))).toMatchObject({ code: "unavailable" });
      open();
      await Promise.all(others);
      expect(given.logits).toEqual(small.logits);
    });
  });
});

async function expectRightOrTyped({ call, loss }: { call: Promise<{ loss: number }>; loss: number }): Promise<void> {
  const [result] = await Promise.allSettled([call]);
  if (result?.status === "fulfilled") expect(result.value.loss).toBe(loss);
  else expect(result?.reason).toBeInstanceOf(DpoError);
}

// `out` refused: wrong kinds and lengths, memory shared in part; a refused call writes to no array.

import { describe, expect, it } from "vitest";
import { KindError, ShapeError } from "../src/index.ts";
import type { FloatArray, PairBuffers, PairLogps } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { mapPairs, randomPairs } from "./support/pairs.ts";

const bufferNames = ["losses", "gradChosen", "gradRejected", "chosenRewards", "rejectedRewards"] as const;

const part = (name: string): RegExp =>
  new RegExp(`out\\.${name}: expected all of policyChosen or none of it, got a part`);
const count = (name: string, got: number): RegExp => new RegExp(`out\\.${name}: expected 8 values[^,]*, got ${got}`);
const kind = (name: string): RegExp => new RegExp(`out\\.${name}: expected a Float32Array, got `);

// [what, out, error, message]; the buffer `shared` holds policyChosen at its start.
type Row = [string, (shared: Float32Array, inputs: PairLogps) => object, typeof ShapeError | typeof KindError, RegExp];
const alone: Row[] = bufferNames.flatMap((name): Row[] => [
  [`where ${name} covers a part of an input`, (s) => ({ [name]: s.subarray(1, 9) }), ShapeError, part(name)],
  [
    `where ${name} starts with a float64 input`,
    (_, inputs) => ({ [name]: new Float32Array((inputs.referenceChosen as FloatArray).buffer, 0, 8) }),
    ShapeError,
    /expected all of referenceChosen or none of it, got a part/,
  ],
  [`where ${name} is too short`, () => ({ [name]: new Float32Array(7) }), ShapeError, count(name, 7)],
  [`where ${name} is too long`, () => ({ [name]: new Float32Array(9) }), ShapeError, count(name, 9)],
  [`where ${name} is a Float64Array`, () => ({ [name]: new Float64Array(8) }), KindError, kind(name)],
  [`where ${name} is a plain array`, () => ({ [name]: Array(8).fill(0) }), KindError, kind(name)],
  [`where ${name} is null`, () => ({ [name]: null }), KindError, kind(name)],
]);
const together: Row[] = bufferNames.slice(1).flatMap((name, k): Row[] => {
  const other = bufferNames[k] as string;
  const message = new RegExp(`out.${name}: expected memory of its own, got that of out.${other}`);
  return [
    [
      `where ${name} is ${other}`,
      () => {
        const both = new Float32Array(8).fill(7);
        return { [name]: both, [other]: both };
      },
      ShapeError,
      message,
    ],
    [
      `where ${name} overlaps ${other}`,
      () => {
        const both = new Float32Array(15).fill(7);
        return { [name]: both.subarray(0, 8), [other]: both.subarray(7) };
      },
      ShapeError,
      message,
    ],
  ];
});

async function expectRefused(
  backend: AnyBackend,
  makeOut: (shared: Float32Array, inputs: PairLogps) => object,
  error: typeof ShapeError | typeof KindError,
  message: RegExp,
): Promise<void> {
  const shared = new Float32Array(9);
  const pairs = randomPairs(8, 51);
  shared.set(pairs.policyChosen);
  const inputs: PairLogps = {
    ...pairs,
    policyChosen: shared.subarray(0, 8),
    referenceChosen: Float64Array.from(pairs.referenceChosen),
  };
  const others = Object.fromEntries(bufferNames.map((name) => [name, new Float32Array(8).fill(7)]));
  const out = { ...others, ...makeOut(shared, inputs) };
  const before = mapPairs(inputs, (array) => array.slice());
  const call = async () => backend.pairLoss(inputs, { metrics: "full", out: out as PairBuffers });
  await expect(call).rejects.toThrow(error);
  await expect(call).rejects.toThrow(message);
  expect(mapPairs(inputs, (array) => array.slice())).toEqual(before);
  for (const name of bufferNames) expect(Array.from(others[name] ?? [])).toEqual(Array(8).fill(7));
}

onEachBackend((backend) => {
  describe("`out` is refused, and nothing is written,", () => {
    it.each([...alone, ...together])("%s", async (_what, makeOut, error, message) => {
      await expectRefused(backend, makeOut, error, message);
    });

    it("where it names what is no result", async () => {
      const call = async () =>
        backend.pairLoss(randomPairs(8, 51), { out: { grads: new Float32Array(8) } as PairBuffers });
      await expect(call).rejects.toThrow(expect.objectContaining({ name: "ParamError", code: "unknown-option" }));
      await expect(call).rejects.toThrow(/out\.grads: not a result; known: losses, gradChosen/);
    });

    it.each([null, 3, "losses"])("where it is %j", async (out) => {
      const call = async () => backend.pairLoss(randomPairs(8, 51), { out: out as never });
      await expect(call).rejects.toThrow(expect.objectContaining({ name: "KindError", code: "wrong-kind" }));
    });
  });
});

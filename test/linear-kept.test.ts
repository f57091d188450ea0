// Logits that are kept from the forward to the backward pass: the same bits as formed anew, and none where there are many.

import { describe, expect, it } from "vitest";
import { shardsInOrder } from "../src/cpu/head.ts";
import type { LinearHead, LinearShards } from "../src/cpu/head-shards.ts";
import type { LinearGradients } from "../src/engine.ts";
import type { FloatData } from "../src/inputs/floats.ts";
import { hasRelaxedSimd, hasSimd } from "../src/kernels/features.ts";
import { createLinearShards } from "../src/kernels/head.ts";
import { findModule } from "../src/kernels/modules.ts";
import { normalFrom } from "./support/logits.ts";

interface Shape {
  tokens: number;
  width: number;
  vocab: number;
  bias?: boolean;
  rank?: number;
}

const normal = normalFrom(77);
const numbers = (n: number): FloatData => ({ type: "f32", data: Float32Array.from({ length: n }, normal) });

function randomHead({ tokens, width, vocab, bias, rank = 0 }: Shape): LinearHead {
  const [a, b, u] = [rank * width, vocab * rank, tokens * rank].map(numbers) as [FloatData, FloatData, FloatData];
  return {
    hidden: numbers(tokens * width),
    rows: Int32Array.from({ length: tokens }, (_, k) => k),
    targets: Int32Array.from({ length: tokens }, (_, k) => (k * 7919) % vocab),
    width,
    vocab,
    weight: numbers(vocab * width),
    bias: bias ? numbers(vocab) : undefined,
    lora: rank > 0 ? { a, b, rank, scale: 0.5, u } : undefined,
  };
}

/** All that a call comes to, with logits kept or not. */
function run(shards: LinearShards, head: LinearHead, again: boolean, slope = (k: number) => Math.cos(k + 1)) {
  const engine = shardsInOrder(shards);
  const make = () => new Float64Array(head.rows.length);
  const statistics = { weighted: make(), squares: make(), total: make() };
  const sums = { max: make(), sum: make(), label: make(), hit: new Uint8Array(head.rows.length), statistics };
  const zeros = (like: FloatData): FloatData => ({ type: "f32", data: new Float32Array(like.data.length) });
  const { hidden, weight, bias, lora } = head;
  const out: LinearGradients = {
    hidden: zeros(hidden),
    weight: lora ? undefined : zeros(weight),
    bias: bias && !lora ? zeros(bias) : undefined,
    a: lora && zeros(lora.a),
    b: lora && zeros(lora.b),
    accumulate: false,
  };
  shards.reserve(head);
  engine.read(head, sums, again);
  engine.gradient(
    head,
    make().map((_, k) => slope(k)),
    sums,
    out,
  );
  return { sums, out };
}

/** The shards, and how often they gave room for logits. */
function counted(shards: LinearShards) {
  const count = { kept: 0 };
  const keep = (shard: LinearHead) => {
    count.kept++;
    return shards.keep?.(shard);
  };
  return { count, shards: { ...shards, keep } };
}

const shapes: Record<string, Shape> = {
  "one tile, not full": { tokens: 5, width: 7, vocab: 13 },
  "one past a block of ids": { tokens: 9, width: 8, vocab: 145 },
  "several tiles of tokens": { tokens: 300, width: 12, vocab: 300, bias: true },
  "several shards": { tokens: 31, width: 20, vocab: 2900 },
  "several of both, an adapter": { tokens: 541, width: 16, vocab: 1000, bias: true, rank: 3 },
  "more hidden states than are packed at once": { tokens: 300, width: 4096, vocab: 160 },
};

describe.each([
  ["plain", false],
  ["relaxed", true],
] as const)("%s", (_name, relaxed) => {
  const runs = relaxed ? hasRelaxedSimd() : hasSimd();
  const makeShards = async () => {
    return createLinearShards((await findModule({ relaxed })).module);
  };

  it.skipIf(!runs).each(Object.entries(shapes))("%s: the same bits", async (_shape, shape) => {
    const { shards, count } = counted(await makeShards());
    const head = randomHead(shape);
    const want = run(shards, head, false);
    expect(count.kept).toBe(0);
    expect(run(shards, head, true)).toEqual(want);
    expect(count.kept).toBeGreaterThan(0);
    expect(want.out.hidden?.data.some((x) => x !== 0)).toBe(true);
  });

  it.skipIf(!runs)("tokens without a gradient change no bits either", async () => {
    const shards = await makeShards();
    const head = randomHead({ tokens: 300, width: 12, vocab: 300 });
    const slope = (k: number) => (k % 3 === 0 ? 0 : Math.sin(k));
    expect(run(shards, head, true, slope)).toEqual(run(shards, head, false, slope));
  });
});

it("64 MB of logits are kept, more are not", () => {
  const given: boolean[] = [];
  const shards: LinearShards = {
    reserve() {},
    keep: () => new Float32Array(0),
    forward(shard, _statistics, kept) {
      given.push(kept !== undefined);
      return new Float64Array(7 * shard.rows.length);
    },
    backward: () => ({ data: new Float32Array(0), stride: 0 }),
  };
  for (const vocab of [2 ** 20, 2 ** 20 + 1]) {
    const empty: FloatData = { type: "f32", data: new Float32Array(0) };
    const tokens = new Int32Array(16);
    const head = { hidden: empty, rows: tokens, targets: tokens, width: 1, vocab, weight: empty };
    const make = () => new Float64Array(16);
    const sums = { max: make(), sum: make(), label: make(), hit: new Uint8Array(0), statistics: undefined };
    shardsInOrder(shards).read({ ...head, bias: undefined, lora: undefined }, sums, true);
  }
  expect([given.every((one, i) => one === i < given.length / 2), given.length]).toEqual([true, 16]);
});

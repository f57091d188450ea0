// Hidden states and a head on the GPU: a tile of logits at a time, made again for the backward pass and never kept. What a
// range of the vocabulary comes to is merged as on every backend.

import { type LinearEngine, startGradient, startSums } from "../backend/linear-engine.ts";
import {
  columnsOf,
  cutGradients,
  cutHead,
  gradientParts,
  type HeadGradients,
  hiddenParts,
  type LinearHead,
  type Part,
  type Rows,
  SUMS,
  weightParts,
} from "../backend/linear-shards.ts";
import { BackendError } from "../errors.ts";
import { decodeFloats, floatAt, setFloat } from "../floats.ts";
import { type Commands, checkSignal, type Gpu, type Range, submit } from "./commands.ts";
import { productWgsl, TILE } from "./linear.wgsl.ts";
import type { Piece } from "./place.ts";
import { recordBackward, recordForward } from "./rows.ts";
import { SUMS_WORDS } from "./rows.wgsl.ts";

/** Bytes of the logits that exist at a time. */
const LOGITS_BYTES = 1 << 26;

/** The engine of `linearLoss`. */
export function createLinear(gpu: Gpu, signal?: AbortSignal): LinearEngine {
  const ranges = (head: LinearHead) => {
    const size = rangeOf(gpu.device.limits, head);
    return Array.from({ length: Math.ceil(head.vocab / size) }, (_, i) => ({
      from: i * size,
      to: Math.min((i + 1) * size, head.vocab),
    }));
  };
  return {
    reserve: (head) => void rangeOf(gpu.device.limits, head),
    async read(head, sums) {
      const merge = startSums(head, sums);
      for (const range of ranges(head)) {
        merge(range, await forward(gpu, cutHead(head, range), sums.statistics !== undefined));
        checkSignal(signal);
      }
    },
    async gradient(head, g, sums, out) {
      const { live, slopes, add, finish } = startGradient(head, g, sums, out);
      for (const range of ranges(live)) {
        add(await backward(gpu, cutHead(live, range), slopes, cutGradients(out, live, range)));
      }
      finish();
    },
  };
}

/** Ids that the GPU takes at a time: what a binding holds of the head, and of the logits of one tile of tokens. */
function rangeOf({ maxStorageBufferBindingSize: most }: GPUSupportedLimits, head: LinearHead): number {
  const ids = Math.floor(Math.min(most / (4 * columnsOf(head)), Math.min(most, LOGITS_BYTES) / (4 * TILE)));
  if (ids > 0) return ids;
  throw new BackendError("out-of-memory", `hiddenSize: expected at most ${most / 4} on this GPU, got ${head.width}`);
}

/** Tokens whose logits exist at a time. */
const tokensOf = ({ maxStorageBufferBindingSize: most }: GPUSupportedLimits, shard: LinearHead): number => {
  const ofStates = most / (4 * columnsOf(shard));
  return Math.max(1, Math.floor(Math.min(ofStates, Math.min(most, LOGITS_BYTES) / (4 * shard.vocab))));
};

/** Rows from..to of an operand, as float32, one after another. */
function gather(parts: readonly Part[], columns: number, from: number, to: number): Float32Array {
  const all = new Float32Array((to - from) * columns);
  let column = 0;
  for (const { floats, width, rows } of parts) {
    for (let k = from; k < to; k++) {
      const at = (k - from) * columns + column;
      decodeFloats(floats, (rows ? (rows[k] as number) : k) * width, all.subarray(at, at + width));
    }
    column += width;
  }
  return all;
}

/** rows × depth times depth × columns, with the strides of both. */
interface Product {
  readonly sizes: readonly [rows: number, columns: number, depth: number];
  readonly strides: readonly [aRow: number, aDepth: number, bDepth: number, bColumn: number];
}

function recordProduct(
  commands: Commands,
  { sizes, strides }: Product,
  a: Range,
  b: Range,
  to: Range,
  accumulate = false,
): void {
  const [rows, columns] = sizes;
  const params = commands.upload(Uint32Array.of(...sizes, ...strides, Number(accumulate)));
  commands.run(productWgsl, Math.ceil(rows / TILE) * Math.ceil(columns / TILE), params, a, b, to);
}

/** One tile of tokens: their states, and the logits of the shard's ids. */
interface Tile {
  readonly from: number;
  readonly count: number;
  readonly states: Range;
  readonly logits: Piece;
}

/** Records the logits of every tile and what becomes of them. */
function eachTile(commands: Commands, gpu: Gpu, shard: LinearHead, weight: Range, visit: (tile: Tile) => void): void {
  const [columns, { vocab, rows }] = [columnsOf(shard), shard];
  const parts = hiddenParts(shard);
  const most = tokensOf(gpu.device.limits, shard);
  for (let from = 0; from < rows.length; from += most) {
    const to = Math.min(from + most, rows.length);
    const count = to - from;
    const states = commands.upload(gather(parts, columns, from, to));
    const range = commands.scratch(4 * count * vocab);
    const product = { sizes: [count, vocab, columns], strides: [columns, 1, 1, columns] } as const;
    recordProduct(commands, product, states, weight, range);
    visit({ from, count, states, logits: { range, shift: 0, first: 0, rows: count } });
  }
}

const uploadWeight = (commands: Commands, shard: LinearHead): Range =>
  commands.upload(gather(weightParts(shard), columnsOf(shard), 0, shard.vocab));

async function forward(gpu: Gpu, shard: LinearHead, statistics: boolean): Promise<Float64Array> {
  const { targets, vocab } = shard;
  const result = new Float64Array(SUMS * targets.length);
  const kind = { type: "f32", subgroups: gpu.device.features.has("subgroups") } as const;
  await submit(gpu, (commands) => {
    eachTile(commands, gpu, shard, uploadWeight(commands, shard), ({ from, count, logits }) => {
      // A target of another shard has no logit here; whoever merges knows.
      const ids = targets.subarray(from, from + count).map((id) => (id >= 0 && id < vocab ? id : 0));
      const tokens = Uint32Array.from({ length: 2 * count }, (_, i) =>
        i % 2 === 0 ? i / 2 : (ids[(i - 1) / 2] as number),
      );
      const sums = recordForward(commands, kind, logits, vocab, commands.upload(tokens), statistics);
      commands.read(sums, (bytes) => unpack(bytes, count, result.subarray(SUMS * from)));
    });
  });
  return result;
}

/** No logit was greater than −∞. */
const NOTHING = 0xfffffffe;

function unpack(bytes: ArrayBuffer, count: number, to: Float64Array): void {
  const floats = new Float32Array(bytes);
  const words = new Uint32Array(bytes);
  for (let k = 0; k < count; k++) {
    const at = SUMS_WORDS * k;
    const of = (i: number): number => floats[at + i] as number;
    const first = words[at + 7] as number;
    const sums = first === NOTHING ? [-Infinity, 0, 0, 0, of(6)] : [of(0), of(1), of(4), of(5), of(6)];
    to.set([...sums, of(3), first === NOTHING ? 0 : first], SUMS * k);
  }
}

async function backward(gpu: Gpu, shard: LinearHead, slopes: Float64Array, out: HeadGradients): Promise<Rows> {
  const [columns, { vocab, rows, targets }] = [columnsOf(shard), shard];
  const gradStates = new Float32Array(rows.length * columns);
  const gradWeight = new Float32Array(vocab * columns);
  await submit(gpu, (commands) => {
    const weight = uploadWeight(commands, shard);
    const ofWeight = commands.scratch(4 * vocab * columns);
    const types = { logits: "f32", gradient: "f32" } as const;
    eachTile(commands, gpu, shard, weight, ({ from, count, states, logits }) => {
      const info = packSlopes(targets, slopes, from, count);
      recordBackward(commands, types, logits, logits, vocab, commands.upload(info));
      const ofStates = commands.scratch(4 * count * columns);
      const toStates = { sizes: [count, columns, vocab], strides: [vocab, 1, columns, 1] } as const;
      recordProduct(commands, toStates, logits.range, weight, ofStates);
      commands.read(ofStates, (bytes) => gradStates.set(new Float32Array(bytes), from * columns));
      const toWeight = { sizes: [vocab, columns, count], strides: [1, vocab, columns, 1] } as const;
      recordProduct(commands, toWeight, logits.range, states, ofWeight, from > 0);
    });
    if (rows.length > 0) commands.read(ofWeight, (bytes) => gradWeight.set(new Float32Array(bytes)));
  });
  for (const { floats, width, column } of gradientParts(shard, out)) {
    for (let at = 0; at < vocab * width; at++) {
      const before = out.accumulate ? floatAt(floats, at) : 0;
      const v = Math.floor(at / width);
      setFloat(floats, at, before + (gradWeight[v * columns + column + (at - v * width)] as number));
    }
  }
  return { data: gradStates, stride: columns };
}

/** id, g, maximum and sum of each token; an id of another shard is none of this one's. */
function packSlopes(targets: Int32Array, slopes: Float64Array, from: number, count: number): Uint32Array {
  const words = new Uint32Array(4 * count);
  const floats = new Float32Array(words.buffer);
  for (let k = 0; k < count; k++) {
    words[4 * k] = targets[from + k] as number;
    for (let i = 0; i < 3; i++) floats[4 * k + 1 + i] = slopes[3 * (from + k) + i] as number;
  }
  return words;
}

// From shards to the sums and gradients of a whole head. Nothing here depends on who computed a shard.

import { overlap } from "../checks/views.ts";
import type { EntropySlopes, HeadEngine, LinearGradients, TokenSums } from "../engine.ts";
import { type FloatData, floatAt, setFloat } from "../inputs/floats.ts";
import type { HeadData } from "../inputs/head.ts";
import type { TokenList } from "../inputs/tokens.ts";
import {
  countKept,
  cutGradients,
  cutHead,
  cutVocabulary,
  type LinearHead,
  type LinearShards,
  type Rows,
  SUMS,
} from "./head-shards.ts";
import { adapted, throughAdapter } from "./lora.ts";

/** A head over the tokens that count, as kernels take it. */
export function headOf(
  { hidden, width, weight, bias, lora, transform }: HeadData,
  { rows, targets }: TokenList,
  vocab: number,
): LinearHead {
  const adapter = lora && { ...lora, u: adapted(hidden, rows, lora.a, lora.rank, lora.scale) };
  return { hidden, rows, targets, width, vocab, weight, bias, lora: adapter, transform };
}

/** Shard after shard, in this thread. */
export function shardsInOrder(shards: LinearShards): HeadEngine<LinearHead, void> {
  // They go with the call's own head, however it ends.
  const kept = new WeakMap<LinearHead, (Float32Array<ArrayBuffer> | undefined)[]>();
  return {
    open(head, list, vocab, isForward) {
      const opened = headOf(head, list, vocab);
      shards.reserve(opened, isForward);
      return opened;
    },
    read(head, sums, again, keep) {
      const merge = startSums(head, sums);
      const ranges = cutVocabulary(head);
      const count = again ? countKept(head, ranges, keep) : 0;
      const logits = ranges.map((range, i) => {
        const shard = cutHead(head, range);
        const own = i < count ? shards.keep?.(shard) : undefined;
        merge(range, shards.forward(shard, sums.statistics !== undefined, own));
        return own;
      });
      kept.set(head, logits);
    },
    gradient(head, g, sums, out, entropy) {
      const { live, picked, ranges, slopes, entropies, add, finish } = startGradient(head, g, sums, out, entropy);
      const all = kept.get(head);
      for (const [i, range] of ranges.entries()) {
        const logits = all?.[i];
        const own = logits && { logits, picked };
        add(shards.backward(cutHead(live, range), slopes, cutGradients(out, live, range), own, entropies));
        // Gives the memory back at once, where the engine can.
        logits?.buffer.transfer?.(0);
      }
      finish();
    },
  };
}

/** Takes in what `forward` gives of each shard, in the order of the vocabulary. */
export function startSums({ targets }: LinearHead, { max, sum, label, hit, statistics }: TokenSums) {
  const greatest = new Int32Array(targets.length);
  max.fill(-Infinity);
  return ({ from, to }: { from: number; to: number }, shard: Float64Array): void => {
    for (let k = 0; k < targets.length; k++) {
      const at = SUMS * k;
      const [id, old, own] = [targets[k] as number, max[k] as number, shard[at] as number];
      if (own > old) {
        max[k] = own;
        greatest[k] = from + (shard[at + 6] as number);
      }
      if (id >= from && id < to) label[k] = shard[at + 5] as number;
      if (k < hit.length) hit[k] = id === greatest[k] && label[k] === max[k] ? 1 : 0;
      // Where all is -Infinity, sums are 0, or NaN, relative to anything.
      const top = max[k] as number;
      const [fall, ownFall] = [old > -Infinity ? old - top : 0, own > -Infinity ? own - top : 0];
      const [factor, ownFactor] = [Math.exp(fall), Math.exp(ownFall)];
      const [before, ownSum] = [sum[k] as number, shard[at + 1] as number];
      sum[k] = before * factor + ownSum * ownFactor;
      if (!statistics) continue;
      const { weighted, squares, total } = statistics;
      const [ownWeighted, ownSquares] = [shard[at + 2] as number, shard[at + 3] as number];
      weighted[k] = ((weighted[k] as number) + fall * before) * factor + (ownWeighted + ownFall * ownSum) * ownFactor;
      squares[k] = (squares[k] as number) * factor ** 2 + ownSquares * ownFactor ** 2;
      total[k] = (total[k] as number) + (shard[at + 4] as number);
    }
  };
}

/**
 * The backward pass of the tokens that have a gradient: what stands in the others' hidden states must not count as 0·∞.
 * `add` takes what `backward` gives of each shard, in the order of the vocabulary. Where no token has one there is no shard:
 * sums that a call adds to stay as they are, to the bit.
 */
export function startGradient(
  head: LinearHead,
  g: Float64Array,
  { max, sum }: TokenSums,
  out: LinearGradients,
  entropy?: EntropySlopes,
) {
  const kept = Int32Array.from(g.keys()).filter((k) => g[k] !== 0 || (entropy !== undefined && entropy.h[k] !== 0));
  const live = pick(head, kept);
  /** One number of each array a token, one token after the other. */
  const together = (...arrays: readonly Float64Array[]): Float64Array => {
    const n = arrays.length;
    return Float64Array.from({ length: n * kept.length }, (_, i) => {
      return (arrays[i % n] as Float64Array)[kept[Math.floor(i / n)] as number] as number;
    });
  };
  const { width, lora, rows } = live;
  const { hidden } = out;
  // Hidden states are read to the end: their gradient is summed elsewhere if it goes over them.
  const direct = hidden?.type === "f32" && !overlap(hidden.data, head.hidden.data);
  const total = direct ? hidden.data : new Float32Array(hidden ? kept.length * width : 0);
  if (direct) total.fill(0);
  const start = (k: number): number => (direct ? (rows[k] as number) : k) * width;
  const rank = lora?.rank ?? 0;
  const du = new Float64Array(kept.length * rank);
  const isIdle = kept.length === 0;
  if (isIdle && !out.accumulate) for (const each of [out.weight, out.bias, out.a, out.b]) each?.data.fill(0);
  return {
    live,
    /** Which tokens these are. */
    picked: kept,
    ranges: isIdle ? [] : cutVocabulary(head),
    slopes: together(g, max, sum),
    entropies: entropy && together(entropy.h, entropy.mean),
    add({ data, stride }: Rows): void {
      for (let k = 0; k < kept.length; k++) {
        if (hidden) addTo(total, start(k), data, k * stride, width);
        addTo(du, k * rank, data, k * stride + (hidden ? width : 0), rank);
      }
    },
    finish(): void {
      if (lora && !isIdle) {
        const gradA = throughAdapter(
          lora,
          live.hidden,
          rows,
          du,
          hidden && ((k, state) => addTo(total, start(k), state, 0, width)),
        );
        if (out.a) write(out.a, gradA, out.accumulate);
      }
      if (direct || !hidden) return;
      hidden.data.fill(0);
      for (let k = 0; k < kept.length; k++) {
        const to = (rows[k] as number) * width;
        for (let i = 0; i < width; i++) setFloat(hidden, to + i, total[k * width + i] as number);
      }
    },
  };
}

type Numbers = FloatData["data"] | Float64Array;

function addTo(into: Numbers, at: number, from: Numbers, start: number, n: number): void {
  for (let i = 0; i < n; i++) into[at + i] = (into[at + i] as number) + (from[start + i] as number);
}

function write(into: FloatData, values: Float64Array, accumulate: boolean): void {
  for (const [i, value] of values.entries()) setFloat(into, i, accumulate ? floatAt(into, i) + value : value);
}

/** The head with these tokens alone. */
function pick(head: LinearHead, kept: Int32Array): LinearHead {
  const { rows, targets, lora } = head;
  if (kept.length === rows.length) return head;
  const of = (values: Int32Array): Int32Array => Int32Array.from(kept, (k) => values[k] as number);
  const rank = lora?.rank ?? 0;
  const data = Float32Array.from({ length: rank * kept.length }, (_, i) => {
    return lora?.u.data[rank * (kept[Math.floor(i / rank)] as number) + (i % rank)] as number;
  });
  const adapter = lora && { ...lora, u: { type: "f32" as const, data } };
  return { ...head, rows: of(rows), targets: of(targets), lora: adapter };
}

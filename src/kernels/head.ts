// Shards of a linear head on the SIMD kernels: a tile of logits at a time, kept or formed anew for the way back.

import {
  columnsOf,
  freshSums,
  gradientParts,
  hiddenParts,
  type KeptLogits,
  type LinearHead,
  type LinearShards,
  SUMS,
  weightParts,
} from "../cpu/head-shards.ts";
import type { Instantiate } from "./growing-memory.ts";
import { createLinearMemory, eights, layout } from "./head-memory.ts";

/** Tokens and ids of a tile: whole panels of 4, 6 and 8. measured: docs/laboratory.md, "Fused linear". */
const TOKENS = 264;
const IDS = 144;
/** Packed hidden states that are held; on the way back, further tiles are packed again for every block of ids. */
const PACKED_BYTES = 4 << 20;

/** Makes the shards' thread of a backend; it takes no memory until a linear loss is asked for. */
export function createLinearShards(module: WebAssembly.Module, make?: Instantiate): LinearShards {
  const { open, reserve } = createLinearMemory(module, make);
  return {
    reserve(head, isForward = false) {
      reserve(Math.max(forwardPlan(head).end, isForward ? 0 : backwardPlan(head).end));
    },

    keep({ rows, vocab }) {
      try {
        return new Float32Array(rows.length * whole(vocab, IDS));
      } catch {
        // Without it they are formed anew.
        return undefined;
      }
    },

    forward(shard, statistics, room) {
      const plan = forwardPlan(shard);
      const { columns, group, hidden, weights, tile, ids, sums } = plan;
      const { kernels, rows, f32, f64, i32, pack } = open(plan);
      const { transform } = shard;
      const [states, head] = [hiddenParts(shard), weightParts(shard)];
      const tokens = shard.rows.length;
      const result = new Float64Array(SUMS * tokens);
      for (let k = 0; k < tokens; k++) result.set(freshSums, SUMS * k);
      for (let start = 0; start < tokens; start += group) {
        const size = Math.min(group, tokens - start);
        pack(states, start, size, rows, hidden);
        i32.set(shard.targets.subarray(start, start + size), ids / 4);
        f64.set(result.subarray(SUMS * start, SUMS * (start + size)), sums / 8);
        for (let v = 0; v < shard.vocab; v += IDS) {
          const n = Math.min(IDS, shard.vocab - v);
          pack(head, v, n, 8, weights);
          for (let t = 0; t < size; t += TOKENS) {
            const m = Math.min(TOKENS, size - t);
            const states = hidden + 4 * t * columns;
            kernels.gemm_f32(states, weights, tile, whole(m, rows), eights(n), columns, IDS, 0);
            if (transform) kernels.transform_f32(tile, tile, IDS * m, transform.inner, transform.outer);
            room?.set(f32.subarray(tile / 4, tile / 4 + IDS * m), keptAt(tokens, v, start + t));
            const [own, into] = [ids + 4 * t, sums + 8 * SUMS * t];
            kernels.linear_sums_f32(tile, IDS, m, n, v, own, into, Number(statistics));
          }
        }
        result.set(f64.subarray(sums / 8, sums / 8 + SUMS * size), SUMS * start);
      }
      return result;
    },

    backward(shard, slopes, out, kept, entropies) {
      const plan = backwardPlan(shard);
      const { inner, outer } = shard.transform ?? { inner: 1, outer: 0 };
      const isPlain = !shard.transform && !entropies;
      const { columns, slots, slotBytes, hidden, weights, weightRows, tile, tilePanels } = plan;
      const { gradStates, gradWeights, ids } = plan;
      const { kernels, rows, f32, f64, i32, pack, unpack } = open(plan);
      const [states, head, targets] = [hiddenParts(shard), weightParts(shard), gradientParts(shard, out)];
      // Columns of what is frozen are left out, by eights.
      const first = Math.min(columns, ...targets.map(({ column }) => column)) & ~7;
      const { from, to } = out.states;
      const firstState = from < to ? from & ~7 : columns;
      const stride = columns - firstState;
      const tokens = shard.rows.length;
      i32.set(shard.targets, ids / 4);
      f64.set(slopes, plan.slopes / 8);
      if (entropies) f64.set(entropies, plan.entropies / 8);
      for (let v = 0; v < shard.vocab; v += IDS) {
        const n = Math.min(IDS, shard.vocab - v);
        const wide = eights(n);
        pack(head, v, n, 8, weights, stride && weightRows, wide);
        for (let t = 0, slot = 0; t < tokens; t += TOKENS, slot++) {
          const m = Math.min(TOKENS, tokens - t);
          const own = hidden + slotBytes * Math.min(slot, slots - 1);
          const ownRows = own + slotBytes / 2;
          const isHeld = slot < slots - 1 || tokens <= slots * TOKENS;
          if (v === 0 || !isHeld) pack(states, t, m, rows, own, ownRows, m);
          const high = whole(m, rows);
          if (kept) takeKept(kept, shard, v, t, f32.subarray(tile / 4, tile / 4 + IDS * m));
          else {
            kernels.gemm_f32(own, weights, tile, high, wide, columns, IDS, 0);
            if (shard.transform) kernels.transform_f32(tile, tile, IDS * m, inner, outer);
          }
          const [ownIds, ownSlopes] = [ids + 4 * t, plan.slopes + 24 * t];
          if (isPlain) kernels.linear_grad_f32(tile, IDS, m, n, v, ownIds, ownSlopes);
          else {
            const ownEntropies = entropies ? plan.entropies + 16 * t : 0;
            kernels.linear_chain_f32(tile, IDS, m, n, v, ownIds, ownSlopes, ownEntropies, inner, outer);
          }
          if (stride > 0) {
            kernels.pack_columns_f32(tile, IDS, high, wide, tilePanels, rows);
            const [b, into] = [weightRows + 4 * firstState * wide, gradStates + 4 * t * stride];
            kernels.gemm_f32(tilePanels, b, into, high, stride, wide, stride, Number(v > 0));
          }
          if (first === columns) continue;
          kernels.pack_rows_f32(tile, IDS, m, wide, tilePanels, m, rows);
          const [b, c] = [ownRows + 4 * first * m, gradWeights + 4 * first];
          kernels.gemm_f32(tilePanels, b, c, whole(wide, rows), columns - first, m, columns, Number(t > 0));
        }
        unpack(targets, v, n, gradWeights, out.accumulate);
      }
      const start = gradStates / 4;
      return { data: f32.subarray(start + (from & 7), start + tokens * stride), stride };
    },
  };
}

/** Where the kept logits of a tile start: those of a block of ids are together. */
const keptAt = (tokens: number, v: number, token: number): number => v * tokens + IDS * token;

/** The kept logits of a tile, tokens from t on of those that are picked. */
function takeKept(
  { logits, picked }: KeptLogits,
  { vocab }: LinearHead,
  v: number,
  t: number,
  tile: Float32Array,
): void {
  const tokens = logits.length / whole(vocab, IDS);
  const step = picked.length < tokens ? IDS : tile.length;
  for (let to = 0; to < tile.length; to += step) {
    const at = keptAt(tokens, v, picked[t + to / IDS] as number);
    tile.set(logits.subarray(at, at + step), to);
  }
}

/** Room for it has whole panels of either height. */
const PANELS = 12;
const whole = (n: number, panel: number): number => Math.ceil(n / panel) * panel;

function forwardPlan(head: LinearHead) {
  const columns = eights(columnsOf(head));
  const tokens = whole(head.rows.length, PANELS);
  const group = Math.min(tokens, tilesOf(PACKED_BYTES / (4 * columns)) * TOKENS);
  return {
    group,
    ...layout(columns, {
      hidden: 4 * columns * group,
      weights: 4 * columns * IDS,
      tile: 4 * IDS * Math.min(TOKENS, group),
      ids: 4 * group,
      sums: 8 * SUMS * group,
    }),
  };
}

function backwardPlan(head: LinearHead) {
  const columns = eights(columnsOf(head));
  const tokens = whole(head.rows.length, PANELS);
  const perTile = Math.min(TOKENS, tokens);
  const slots = Math.min(Math.ceil(tokens / TOKENS), tilesOf(PACKED_BYTES / (8 * columns)));
  const slotBytes = 8 * columns * perTile;
  const tile = 4 * IDS * perTile;
  const block = 4 * columns * IDS;
  return {
    slots,
    slotBytes,
    ...layout(columns, {
      hidden: slots * slotBytes,
      weights: block,
      weightRows: block,
      tile,
      tilePanels: tile,
      gradStates: 4 * columns * tokens,
      gradWeights: block,
      ids: 4 * tokens,
      slopes: 24 * tokens,
      entropies: 16 * tokens,
    }),
  };
}

const tilesOf = (tokens: number): number => Math.max(Math.floor(tokens / TOKENS), 1);

import { entropy_grad_f32 } from "../entropy";
import { linear_chain_f32 } from "../linear";
import { logits_stats_f32 } from "../logprob";
import { logits_grad_through_f32 } from "../logprob-through";
import { transform_f32, transform_grad_f32 } from "../transform";
import { floats, get, guards_hold, random, same, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

const G: f64 = -0.75;
const H: f64 = 1.25;
const NONE: usize = -1;

function logits(n: usize): usize {
  const x = floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, <f32>(<i32>(random() >> 54) - 512) / 64);
  return x;
}

function stats(x: usize, n: usize): usize {
  const state = floats(10);
  memory.fill(state, 0, 40);
  store<f64>(state, -Infinity);
  logits_stats_f32(x, n, state);
  return state;
}

function grad(x: usize, out: usize, n: usize, label: usize, g: f64, h: f64, state: usize): void {
  const sum = load<f64>(state, 8);
  entropy_grad_f32(x, out, n, label, g, h, load<f64>(state), sum, load<f64>(state, 16) / sum);
}

function check(n: usize): void {
  const x = logits(n);
  const out = floats(n);
  const label = n >> 1;
  grad(x, out, n, label, G, H, stats(x, n));
  let sum: f64 = 0;
  let dot: f64 = 0;
  for (let i: usize = 0; i < n; i++) sum += NativeMath.exp(<f64>get(x, i));
  for (let i: usize = 0; i < n; i++) dot += (NativeMath.exp(<f64>get(x, i)) / sum) * <f64>get(x, i);
  let worst: f64 = 0;
  for (let i: usize = 0; i < n; i++) {
    const p = NativeMath.exp(<f64>get(x, i)) / sum;
    const want = G * ((i == label ? 1 : 0) - p) - H * p * (<f64>get(x, i) - dot);
    worst = max(worst, abs(<f64>get(out, i) - want));
  }
  expect(worst).toBeLessThanOrEqual(2e-6);
  expect(guards_hold(out, n)).toBe(true);
}

describe("entropy_grad_f32, error ≤ 2e-6 for slopes of about 1", () => {
  beforeAll(() => {
    check_edges(check);
  });
  edges();

  it("gives 0 where there is no probability, and NaN in all of a row that has one", () => {
    const x = logits(37);
    const out = floats(37);
    set(x, 3, -Infinity);
    set(x, 36, -Infinity);
    set(x, 5, -1e5);
    grad(x, out, 37, NONE, G, H, stats(x, 37));
    expect(get(out, 3)).toBe(0);
    expect(get(out, 36)).toBe(0);
    expect(get(out, 5)).toBe(0);
    set(x, 4, NaN);
    grad(x, out, 37, NONE, G, H, stats(x, 37));
    for (let i: usize = 0; i < 37; i++) expect(get(out, i)).toBeNaN();
  });
});

describe("linear_chain_f32", () => {
  it("is the kernels of rows one after the other: log-probability or entropy, then transform", () => {
    const ROWS: usize = 3;
    const n: usize = 29;
    const stride: usize = 33;
    for (let kind = 0; kind < 4; kind++) {
      const tile = floats(ROWS * stride);
      const ids = floats(ROWS);
      const slopes = floats(6 * ROWS);
      const entropies = floats(4 * ROWS);
      const inner: f32 = kind & 1 ? 0.125 : 1;
      const outer: f32 = kind & 1 ? 5 : 0;
      const rows = floats(ROWS * n);
      const want = floats(ROWS * n);
      for (let r: usize = 0; r < ROWS; r++) {
        const x = logits(n);
        const z = rows + ((r * n) << 2);
        const out = want + ((r * n) << 2);
        const label: usize = r == 1 ? NONE : 7 + r;
        const h: f64 = kind & 2 && r != 2 ? H : 0;
        transform_f32(x, z, n, inner, outer);
        memory.copy(tile + ((r * stride) << 2), z, n << 2);
        const state = stats(z, n);
        const sum = load<f64>(state, 8);
        store<u32>(ids + (r << 2), r == 1 ? 2 : 107 + <u32>r);
        store<f64>(slopes + r * 24, G);
        store<f64>(slopes + r * 24, load<f64>(state), 8);
        store<f64>(slopes + r * 24, sum, 16);
        store<f64>(entropies + r * 16, h);
        store<f64>(entropies + r * 16, load<f64>(state, 16) / sum, 8);
        if (h == 0) {
          logits_grad_through_f32(z, out, n, label, G, load<f64>(state), sum, inner, outer);
          continue;
        }
        grad(z, out, n, label, G, h, state);
        if (kind & 1) transform_grad_f32(z, out, n, inner, outer);
      }
      linear_chain_f32(tile, stride, ROWS, n, 100, ids, slopes, kind & 2 ? entropies : 0, inner, outer);
      let misses = 0;
      for (let r: usize = 0; r < ROWS; r++) {
        for (let i: usize = 0; i < n; i++) if (!same(get(tile, r * stride + i), get(want, r * n + i))) misses++;
      }
      expect(misses).toBe(0);
      expect(guards_hold(tile, ROWS * stride)).toBe(true);
    }
  });
});

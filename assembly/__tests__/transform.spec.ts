import { transform_f32, transform_grad_f32 } from "../transform";
import { floats, get, guards_hold, random, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

const INNER: f32 = 0.0625;
const OUTER: f32 = 30;

function logits(n: usize): usize {
  const x = floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, <f32>(<i32>(random() >> 52) - 2048) / 64);
  return x;
}

function check_cap(n: usize): void {
  const x = logits(n);
  const z = floats(n);
  const grad = floats(n);
  for (let i: usize = 0; i < n; i++) set(grad, i, <f32>(i + 1));
  transform_f32(x, z, n, INNER, OUTER);
  transform_grad_f32(z, grad, n, INNER, OUTER);
  for (let i: usize = 0; i < n; i++) {
    const t = NativeMath.tanh(<f64>get(x, i) * INNER);
    expect(abs(get(z, i) - OUTER * t)).toBeLessThanOrEqual(4e-7 * OUTER);
    const slope = <f64>(i + 1) * INNER * OUTER * (1 - t * t);
    expect(abs(get(grad, i) - slope)).toBeLessThanOrEqual(1e-6 * <f64>(i + 1) * INNER * OUTER);
  }
  expect(guards_hold(x, n) && guards_hold(z, n) && guards_hold(grad, n)).toBe(true);
  transform_f32(x, x, n, INNER, OUTER);
  for (let i: usize = 0; i < n; i++) expect(get(x, i)).toBe(get(z, i));
}

function check_scale(n: usize): void {
  const x = logits(n);
  const z = floats(n);
  const grad = logits(n);
  const before = floats(n);
  memory.copy(before, grad, n << 2);
  transform_f32(x, z, n, 0.25, 0);
  transform_grad_f32(z, grad, n, 0.25, 0);
  for (let i: usize = 0; i < n; i++) {
    expect(get(z, i)).toBe(get(x, i) / 4);
    expect(get(grad, i)).toBe(get(before, i) / 4);
  }
  expect(guards_hold(z, n) && guards_hold(grad, n)).toBe(true);
}

describe("transform_f32 and transform_grad_f32 with a softcap, error ≤ 4e-7 of the cap and 1e-6 of the slope", () => {
  beforeAll(() => {
    check_edges(check_cap);
  });
  edges();

  it("hold whatever the scale, and give equal logits the same number wherever they stand", () => {
    for (let scale: f64 = 1e-12; scale < 1e13; scale *= 7.3) {
      const n: usize = 2099;
      const x = logits(n);
      for (let i: usize = 0; i < n; i++) set(x, i, <f32>((<f64>get(x, i) * INNER) / scale));
      set(x, n - 1, get(x, 3));
      const z = floats(n);
      const far = floats(n);
      transform_f32(x, z, n, <f32>scale, OUTER);
      let worst: f64 = 0;
      for (let i: usize = 0; i < n; i++) {
        worst = max(worst, abs(get(z, i) - OUTER * NativeMath.tanh(<f64>get(x, i) * <f32>scale)));
      }
      expect(worst).toBeLessThanOrEqual(4e-7 * OUTER);
      expect(get(z, n - 1)).toBe(get(z, 3));
      // A logit that is far out sends its whole block another way.
      set(x, 5, Infinity);
      transform_f32(x, far, n, <f32>scale, OUTER);
      let misses = 0;
      for (let i: usize = 0; i < n; i++) if (get(far, i) != (i == 5 ? OUTER : get(z, i))) misses++;
      expect(misses).toBe(0);
    }
  });

  it("cap infinities, whose gradient is 0, and keep NaN", () => {
    const x = floats(4);
    const grad = floats(4);
    set(x, 0, Infinity);
    set(x, 1, -Infinity);
    set(x, 2, NaN);
    set(x, 3, 0);
    for (let i: usize = 0; i < 4; i++) set(grad, i, 1);
    transform_f32(x, x, 4, INNER, OUTER);
    transform_grad_f32(x, grad, 4, INNER, OUTER);
    expect(get(x, 0)).toBe(OUTER);
    expect(get(x, 1)).toBe(-OUTER);
    expect(get(x, 2)).toBeNaN();
    expect(get(grad, 0)).toBe(0);
    expect(get(grad, 1)).toBe(0);
    expect(get(grad, 3)).toBe(INNER * OUTER);
  });

  it("take infinite gradients to 0 where the slope is 0, and NaN to NaN", () => {
    for (let cap: f32 = 0.7; cap < 60; cap += 0.7) {
      const x = floats(4);
      const grad = floats(4);
      set(x, 0, Infinity);
      set(x, 1, 1e5);
      set(x, 2, 0);
      set(x, 3, -1e5);
      set(grad, 0, Infinity);
      set(grad, 1, -Infinity);
      set(grad, 2, Infinity);
      set(grad, 3, NaN);
      transform_f32(x, x, 4, INNER, cap);
      transform_grad_f32(x, grad, 4, INNER, cap);
      expect(get(grad, 0)).toBe(0);
      expect(get(grad, 1)).toBe(0);
      expect(get(grad, 2)).toBe(Infinity);
      expect(get(grad, 3)).toBeNaN();
    }
  });
});

describe("transform_f32 and transform_grad_f32 without a softcap", () => {
  beforeAll(() => {
    check_edges(check_scale);
  });
  edges();
});

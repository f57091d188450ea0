import { exact_floats, floats, get, guards_hold, set } from "./buffers";

/** The signature of every kernel in losses.gen.ts. */
export type Kernel = (
  pc: usize,
  pr: usize,
  rc: usize,
  rr: usize,
  nw: usize,
  nl: usize,
  rm: usize,
  loss: usize,
  gc: usize,
  gr: usize,
  n: usize,
  constants: usize,
) => void;

/**
 * n pairs. Log-probs are multiples of 1/2048 in ±64 and lengths powers of two, so that log-ratios, their difference and
 * their products with a β that is a power of two are exact in float32.
 */
export class Pairs {
  pc: usize;
  pr: usize;
  rc: usize;
  rr: usize;
  nw: usize;
  nl: usize;
  rm: usize;
  loss: usize;
  gc: usize;
  gr: usize;

  constructor(public n: usize) {
    this.pc = log_probs(n);
    this.pr = log_probs(n);
    this.rc = log_probs(n);
    this.rr = log_probs(n);
    this.nw = lengths(n, 1);
    this.nl = lengths(n, 5);
    this.rm = log_probs(n);
    this.loss = floats(n);
    this.gc = floats(n);
    this.gr = floats(n);
  }

  /** The same inputs, outputs of its own. */
  copy(): Pairs {
    const to = new Pairs(this.n);
    const size = this.n << 2;
    memory.copy(to.pc, this.pc, size);
    memory.copy(to.pr, this.pr, size);
    memory.copy(to.rc, this.rc, size);
    memory.copy(to.rr, this.rr, size);
    memory.copy(to.rm, this.rm, size);
    return to;
  }

  /** Runs the kernel on `count` pairs from the one at `first`. */
  run(kernel: Kernel, constants: StaticArray<f32>, first: usize, count: usize): void {
    const i = first << 2;
    kernel(
      this.pc + i,
      this.pr + i,
      this.rc + i,
      this.rr + i,
      this.nw + i,
      this.nl + i,
      this.rm + i,
      this.loss + i,
      this.gc + i,
      this.gr + i,
      count,
      changetype<usize>(constants),
    );
  }

  /** The chosen completion's log-ratio. */
  a(i: usize): f64 {
    return <f64>get(this.pc, i) - <f64>get(this.rc, i);
  }

  /** The rejected completion's. */
  c(i: usize): f64 {
    return <f64>get(this.pr, i) - <f64>get(this.rr, i);
  }

  guards_hold(): bool {
    return guards_hold(this.loss, this.n) && guards_hold(this.gc, this.n) && guards_hold(this.gr, this.n);
  }
}

function log_probs(n: usize): usize {
  const x = exact_floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, get(x, i) / 32);
  return x;
}

// 1, 2, 4, 8, 16, 32 in an order of `step`.
function lengths(n: usize, step: usize): usize {
  const x = floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, <f32>(1 << (((i * step) % 6) as i32)));
  return x;
}

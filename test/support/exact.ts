// Losses in arithmetic of about 75 digits, written from the formulas of the papers and not from src/: what every backend is
// held against. A number is an integer in units of 2^-256.

const BITS = 256n;
const ONE = 1n << BITS;

/** Exactly the number, down to the unit. */
function fixed(x: number): bigint {
  if (x === 0) return 0n;
  const exponent = Math.max(-1000, Math.floor(Math.log2(Math.abs(x)))) - 52;
  const digits = BigInt(Math.round(x / 2 ** exponent));
  const shift = BigInt(exponent) + BITS;
  return shift >= 0n ? digits << shift : digits >> -shift;
}

const mul = (x: bigint, y: bigint): bigint => (x * y) >> BITS;
const div = (x: bigint, y: bigint): bigint => (x << BITS) / y;
const abs = (x: bigint): bigint => (x < 0n ? -x : x);

function toNumber(x: bigint): number {
  const size = abs(x).toString(2).length;
  const shift = BigInt(Math.max(0, size - 64));
  return Number(x >> shift) * 2 ** (Number(shift) - Number(BITS));
}

const LN2 = (() => {
  // ln 2 = 2·atanh(1/3)
  let [sum, power] = [0n, ONE / 3n];
  for (let k = 1n; power > 0n; k += 2n, power /= 9n) sum += power / k;
  return 2n * sum;
})();

/** e^x; beyond e^±700 it is as good as 0 or infinite for float32. */
function exp(x: bigint): bigint {
  if (x < -700n * ONE) return 0n;
  const y = x > 700n * ONE ? 700n * ONE : x;
  const n = y / LN2;
  const r = (y - n * LN2) >> 8n;
  let [sum, term] = [ONE, ONE];
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = mul(term, r) / k;
    sum += term;
  }
  for (let i = 0; i < 8; i++) sum = mul(sum, sum);
  return n >= 0n ? sum << n : sum >> -n;
}

function log(x: bigint): bigint {
  let y = fixed(Math.log(toNumber(x)));
  for (let i = 0; i < 4; i++) {
    const e = exp(y);
    y += 2n * div(x - e, x + e);
  }
  return y;
}

const sigmoid = (x: bigint): bigint => (x < 0n ? div(exp(x), ONE + exp(x)) : div(ONE, ONE + exp(-x)));
const softplus = (x: bigint): bigint => (x > 0n ? x : 0n) + (abs(x) > 700n * ONE ? 0n : log(ONE + exp(-abs(x))));

interface Hyper {
  beta: number;
  labelSmoothing?: number;
  discopopTau?: number;
  /** Of the α-divergence α − 1, of the forward KL −1; the js divergence, or none. */
  score?: number | "js";
  dpopLambda?: number;
  simpoGamma?: number;
  /** Whether scores are 0 at a log-ratio of 0; default true. */
  fConstants?: boolean;
}

interface Ratios {
  a: number;
  c: number;
  chosenLength: number;
  rejectedLength: number;
  /** Δ* of the reward-aware losses. */
  rewardMargin?: number;
}

type Triple = readonly [loss: number, da: number, dc: number];

/** The α-divergence's cap, in TRL's float32. */
const CAP = 80;

function score(r: bigint, { score: kind, fConstants = true }: Hyper): [f: bigint, slope: bigint] {
  if (kind === undefined) return [r, ONE];
  if (kind === "js") return [(fConstants ? LN2 : 0n) - softplus(-r), sigmoid(-r)];
  const k = fixed(kind);
  const t = mul(k, r);
  const capped = kind !== -1 && t >= BigInt(CAP) * ONE;
  const power = exp(capped ? BigInt(CAP) * ONE : t);
  return [div(power - (fConstants ? ONE : 0n), k), capped ? 0n : power];
}

/** Losses of the margin: value and slope. */
const margins: Record<string, (d: bigint, beta: bigint, hyper: Hyper) => [bigint, bigint]> = {
  sigmoid(d, beta, { labelSmoothing = 0 }) {
    const [z, e] = [mul(beta, d), fixed(labelSmoothing)];
    return [
      mul(ONE - e, softplus(-z)) + mul(e, softplus(z)),
      mul(beta, mul(e, sigmoid(z)) - mul(ONE - e, sigmoid(-z))),
    ];
  },
  robust(d, beta, { labelSmoothing = 0 }) {
    const [z, e] = [mul(beta, d), fixed(labelSmoothing)];
    const value = mul(ONE - e, softplus(-z)) - mul(e, softplus(z));
    const slope = -mul(ONE - e, sigmoid(-z)) - mul(e, sigmoid(z));
    return [div(value, ONE - 2n * e), mul(beta, div(slope, ONE - 2n * e))];
  },
  hinge(d, beta) {
    const slack = ONE - mul(beta, d);
    return slack > 0n ? [slack, -beta] : [0n, 0n];
  },
  ipo(d, beta) {
    const error = d - div(ONE, 2n * beta);
    return [mul(error, error), 2n * error];
  },
  exo_pair(d, beta, { labelSmoothing = 1e-3 }) {
    const [z, e] = [mul(beta, d), fixed(labelSmoothing)];
    const [q, p] = [sigmoid(z), sigmoid(-z)];
    const value = mul(q, -softplus(-z) - log(ONE - e)) + mul(p, -softplus(z) - log(e));
    return [value, mul(beta, mul(mul(q, p), z - log(ONE - e) + log(e)))];
  },
  discopop(d, beta, { discopopTau = 0.05 }) {
    const z = mul(beta, d);
    const rate = div(ONE, fixed(discopopTau));
    const [w, v] = [sigmoid(mul(rate, z)), sigmoid(-mul(rate, z))];
    // For negative z, w·e^−z = σ(−u)·e^(z(1/τ − 1)).
    const part = z < 0n ? mul(v, exp(mul(z, rate - ONE))) : mul(w, exp(-z));
    const slope = -mul(v, sigmoid(-z)) - part + mul(rate, mul(v, part)) - mul(mul(rate, mul(w, v)), softplus(-z));
    return [mul(v, softplus(-z)) + part, mul(beta, slope)];
  },
};

/** KL from one probability of two outcomes to another, by their logits; its slope in the second logit, and in the first. */
function kl(of: bigint, to: bigint): [value: bigint, inTo: bigint, inOf: bigint] {
  const [p, q] = [sigmoid(of), sigmoid(-of)];
  const value = mul(p, softplus(-to) - softplus(-of)) + mul(q, softplus(to) - softplus(of));
  return [value, sigmoid(to) - p, mul(mul(p, q), of - to)];
}

/** Losses of the margin and a given one. */
const aware: Record<string, (z: bigint, given: bigint) => [value: bigint, slope: bigint]> = {
  rpo_sq: (z, given) => [mul(z - given, z - given), 2n * (z - given)],
  rpo_bwd_kl(z, given) {
    const [value, slope] = kl(given, z);
    return [value, slope];
  },
  rpo_fwd_kl(z, given) {
    const [value, , slope] = kl(z, given);
    return [value, slope];
  },
};

/** Losses of both log-ratios: value and slopes. */
const pairs: Record<string, (a: bigint, c: bigint, beta: bigint) => [bigint, bigint, bigint]> = {
  nca_pair(a, c, beta) {
    const [x, y] = [mul(beta, a), mul(beta, c)];
    const value = softplus(-x) + (softplus(x) + softplus(y)) / 2n;
    return [value, mul(beta, sigmoid(x) / 2n - sigmoid(-x)), mul(beta, sigmoid(y)) / 2n];
  },
  bco_pair(a, c, beta) {
    const [x, y] = [mul(beta, a), mul(beta, c)];
    return [softplus(-x) + softplus(y), -mul(beta, sigmoid(-x)), mul(beta, sigmoid(y))];
  },
  sppo_hard(a, c, beta) {
    const [up, down] = [a - div(ONE, 2n * beta), c + div(ONE, 2n * beta)];
    return [mul(up, up) + mul(down, down), 2n * up, 2n * down];
  },
  apo_zero(a, c, beta) {
    const [x, y] = [mul(beta, a), mul(beta, c)];
    const bell = (u: bigint): bigint => mul(beta, mul(sigmoid(u), sigmoid(-u)));
    return [sigmoid(-x) + sigmoid(y), -bell(x), bell(y)];
  },
  apo_down(a, c, beta) {
    const [x, z] = [mul(beta, a), mul(beta, a - c)];
    const bell = (u: bigint): bigint => mul(beta, mul(sigmoid(u), sigmoid(-u)));
    return [sigmoid(x) + sigmoid(-z), bell(x) - bell(z), bell(z)];
  },
};

/** The losses that it knows: those of a pair. */
export const exactIds: readonly string[] = [
  "sigmoid_norm",
  "dpop",
  ...Object.keys(aware),
  ...Object.keys(margins),
  ...Object.keys(pairs),
];

/** Loss and gradients of one pair, before the mean. */
export function exactLoss(
  id: string,
  { a, c, chosenLength, rejectedLength, rewardMargin = 0 }: Ratios,
  hyper: Hyper,
): Triple {
  const beta = fixed(hyper.beta);
  if (id === "dpop") {
    const lambda = fixed(hyper.dpopLambda ?? 50);
    const z = mul(beta, fixed(a) - fixed(c) - mul(lambda, a < 0 ? -fixed(a) : 0n));
    const slope = mul(beta, sigmoid(-z));
    return [toNumber(softplus(-z)), toNumber(-mul(slope, ONE + (a < 0 ? lambda : 0n))), toNumber(slope)];
  }
  const given = aware[id];
  if (given) {
    const [value, slope] = given(mul(beta, fixed(a) - fixed(c)), fixed(rewardMargin));
    return [toNumber(value), toNumber(mul(beta, slope)), toNumber(-mul(beta, slope))];
  }
  const pair = pairs[id];
  if (pair) {
    const [loss, da, dc] = pair(fixed(a), fixed(c), beta);
    return [toNumber(loss), toNumber(da), toNumber(dc)];
  }
  const normalised = id === "sigmoid_norm" || id === "ipo";
  const [n, m] = normalised ? [fixed(chosenLength), fixed(rejectedLength)] : [ONE, ONE];
  const [f, df] = score(fixed(a), hyper);
  const [g, dg] = score(fixed(c), hyper);
  const margin = margins[id === "sigmoid_norm" ? "sigmoid" : id] as (typeof margins)["sigmoid"];
  const [loss, slope] = (margin as NonNullable<typeof margin>)(div(f, n) - div(g, m), beta, hyper);
  return [toNumber(loss), toNumber(div(mul(slope, df), n)), toNumber(-div(mul(slope, dg), m))];
}

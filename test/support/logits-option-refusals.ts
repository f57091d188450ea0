// Logits, references, buffers and options of logitsLoss that are refused, in tables.

import type { LogitsRefusal } from "./logits-refusals.ts";
import { LENGTH, PAIRS, VOCAB } from "./logits-refusals.ts";

const shape = { error: "ShapeError", code: "wrong-length" } as const;
const range = { error: "ParamError", code: "out-of-range" } as const;
const unused = { error: "ParamError", code: "unused-option" } as const;
const kind = { error: "KindError", code: "wrong-kind" } as const;

const POSITIONS = 2 * PAIRS * LENGTH;
const SIZE = POSITIONS * VOCAB;

const floats: LogitsRefusal[] = (["logits", "reference.logits"] as const).flatMap((name) => {
  const put = (value: unknown) => ({ batch: name === "logits" ? { logits: value } : { reference: { logits: value } } });
  const wrong: unknown[] = [undefined, null, 3, Array(SIZE).fill(0), new Float64Array(SIZE), new Uint16Array(SIZE), {}];
  return [
    ...[0, SIZE - 1, SIZE + 1].map((length) => ({
      what: `${length} ${name} for ${SIZE}`,
      ...put(new Float32Array(length)),
      ...shape,
      message: new RegExp(`^${name}: expected ${SIZE} values, got ${length}$`),
    })),
    {
      what: `${name} are too few bits`,
      ...put({ bf16: new Uint16Array(SIZE - 1) }),
      ...shape,
      message: new RegExp(`^${name}: expected ${SIZE} values, got ${SIZE - 1}$`),
    },
    ...[...wrong, { f16: new Float32Array(SIZE) }, { bf16: undefined }, { f16: Array(SIZE).fill(0) }].map(
      (value, k) => ({
        what: `${name} are of the wrong kind (${k}: ${JSON.stringify(value)?.slice(0, 16)})`,
        ...put(value),
        ...kind,
        message: new RegExp(`^${name}: expected a Float32Array, a Float16Array, \\{ f16: Uint16Array \\} or .*, got `),
      }),
    ),
  ];
});

const references: LogitsRefusal[] = [
  {
    what: "there is no reference",
    batch: { reference: undefined },
    error: "ParamError",
    code: "missing-input",
    message: /^reference: expected with sigmoid, got nothing$/,
  },
  ...[null, 3, {}, { weight: 1 }, { logits: 1, hidden: 1 }].map((reference) => ({
    what: `the reference is ${JSON.stringify(reference)}`,
    batch: { reference },
    ...kind,
    message: /^reference: expected \{ logps \}, \{ logits \} or \{ hidden, weight \}, got /,
  })),
  {
    what: "a reference's head is of no whole width",
    batch: { reference: { hidden: new Float32Array(SIZE), weight: new Float32Array(24) } },
    ...range,
    message: /^reference\.hiddenSize: expected an integer in 1\.\.2147483647, got 4\.8$/,
  },
  {
    what: "a reference has a head without hidden states of its width",
    batch: { reference: { hidden: new Float32Array(7), weight: new Float32Array(10), hiddenSize: 2 } },
    ...shape,
    message: /^reference\.hidden: expected \d+ values, got 7$/,
  },
  ...[3, 5].map((length) => ({
    what: `${length} reference log-probs for four sequences`,
    batch: { reference: { logps: new Float64Array(length) } },
    ...shape,
    message: new RegExp(`^reference\\.logps: expected 4 values, got ${length}$`),
  })),
  ...[undefined, [0, 0, 0, 0], new Int32Array(4), new Float16Array(4)].map((logps) => ({
    what: `reference log-probs are ${Object.prototype.toString.call(logps)}`,
    batch: { reference: { logps } },
    ...kind,
    message: /^reference\.logps: expected .*Float32Array or Float64Array, got /,
  })),
];

const buffers: LogitsRefusal[] = [
  ...[
    { name: "losses", length: PAIRS, right: "Float32Array" },
    { name: "logps", length: 2 * PAIRS, right: "Float64Array" },
    { name: "tokenLogps", length: POSITIONS, right: "Float32Array or Float64Array" },
    { name: "logsumexp", length: POSITIONS, right: "Float32Array or Float64Array" },
  ].flatMap(({ name, length, right }): LogitsRefusal[] => [
    ...[length - 1, length + 1].map((other) => ({
      what: `out.${name} holds ${other} numbers`,
      options: { out: { [name]: right === "Float64Array" ? new Float64Array(other) : new Float32Array(other) } },
      ...shape,
      message: new RegExp(`^out\\.${name}: expected ${length} values, got ${other}$`),
    })),
    ...[null, [], new Int32Array(length)].map((value) => ({
      what: `out.${name} is ${Object.prototype.toString.call(value)}`,
      options: { out: { [name]: value } },
      ...kind,
      message: new RegExp(`^out\\.${name}: expected .*${right}, got `),
    })),
  ]),
  ...[SIZE - 1, SIZE + 1].map((length) => ({
    what: `out.gradLogits holds ${length} numbers`,
    options: { out: { gradLogits: new Float32Array(length) } },
    ...shape,
    message: new RegExp(`^out\\.gradLogits: expected ${SIZE} values, got ${length}$`),
  })),
  ...[null, new Float64Array(SIZE), { f16: new Uint16Array(SIZE) }, { bf16: new Uint16Array(SIZE) }].map(
    (gradLogits, k) => ({
      what: `out.gradLogits is no Float32Array, for float32 logits (${k})`,
      options: { out: { gradLogits } },
      ...kind,
      message: /^out\.gradLogits: expected .*, got /,
    }),
  ),
  {
    what: "out.gradLogits is float16 under gradType f32",
    batch: { logits: { f16: new Uint16Array(SIZE) } },
    options: { gradType: "f32", out: { gradLogits: { f16: new Uint16Array(SIZE) } } },
    ...kind,
    message: /^out\.gradLogits: expected f32 .*, got f16$/,
  },
  {
    what: "out names what is no result",
    options: { out: { gradWeight: new Float32Array(4) } },
    error: "ParamError",
    code: "unknown-option",
    message: /^out\.gradWeight: not a result; known: .*gradLogits$/,
  },
  ...[null, 3, "out"].map((out) => ({
    what: `out is ${JSON.stringify(out)}`,
    options: { out },
    ...kind,
    message: /^out: expected an object, got /,
  })),
];

const options: LogitsRefusal[] = [
  ...[-0.1, 1.1, Number.NaN, Infinity].map((ldAlpha) => ({
    what: `ldAlpha is ${ldAlpha}`,
    options: { ldAlpha },
    ...range,
    message: new RegExp(`^ldAlpha: expected a .*number.*, got ${ldAlpha}$`),
  })),
  ...[null, "0.5", true].map((ldAlpha) => ({
    what: `ldAlpha is the ${typeof ldAlpha} ${ldAlpha}`,
    options: { ldAlpha },
    ...kind,
    message: /^ldAlpha: expected a number, got /,
  })),
  ...["WPO", true, null].map((weighting) => ({
    what: `weighting is ${JSON.stringify(weighting)}`,
    options: { weighting },
    ...range,
    message: /^weighting: expected wpo, got /,
  })),
  ...["aot", "aot_unpaired", "sft"].map((lossType) => ({
    what: `WPO with ${lossType}`,
    options: { lossType: ["sigmoid", lossType], weighting: "wpo" },
    ...unused,
    message: new RegExp(`^weighting: "wpo" weighs pairs, which ${lossType} has not$`),
  })),
  ...["f16", "float32", null, 4].map((gradType) => ({
    what: `gradType is ${JSON.stringify(gradType)}`,
    options: { gradType },
    ...range,
    message: /^gradType: expected same or f32, got /,
  })),
  {
    what: "inPlace where the gradient is wider than the logits",
    batch: { logits: { bf16: new Uint16Array(SIZE) } },
    options: { inPlace: true, gradType: "f32" },
    ...unused,
    message: /^inPlace: expected gradType "same" for logits of bf16, got "f32"$/,
  },
  {
    what: "inPlace beside out.gradLogits",
    options: { inPlace: true, out: { gradLogits: new Float32Array(SIZE) } },
    ...unused,
    message: /^inPlace: expected no out\.gradLogits beside it, got one$/,
  },
  ...["no", 1, null].map((inPlace) => ({
    what: `inPlace is ${JSON.stringify(inPlace)}`,
    options: { inPlace },
    ...kind,
    message: /^inPlace: expected true or false, got /,
  })),
  { what: "accumulate", options: { accumulate: true }, ...unused, message: /^accumulate: not used by logitsLoss/ },
  {
    what: "an option that there is not",
    options: { topK: 2 },
    error: "ParamError",
    code: "unknown-option",
    message: /^topK: not an option; known: /,
  },
  {
    what: "a gradScale that is no number",
    options: { gradScale: Number.NaN },
    ...range,
    message: /^gradScale: expected a finite number, got NaN$/,
  },
  {
    what: "a signal that is aborted",
    options: { signal: AbortSignal.abort("enough") },
    error: "AbortError",
    code: "aborted",
    message: /aborted/,
  },
];

/** Logits, references, buffers and options that are refused, by logitsLoss. */
export const logitsRefusals: readonly LogitsRefusal[] = [...floats, ...references, ...buffers, ...options];

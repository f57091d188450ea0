// The calls of linearLoss that are refused, in tables: what is wrong, and the class, code and message that say so.

import { COUNT, type LogitsRefusal, PAIRS, soundPacked, VOCAB } from "./logits-refusals.ts";

export const WIDTH = 3;
const RANK = 2;

const ramp = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(3 * i));

/** A sound call: packed tokens, vocabulary 5, width 3. */
export const soundLinear = () => ({
  tokens: soundPacked(),
  vocab: VOCAB,
  hiddenSize: WIDTH,
  hidden: ramp(COUNT * WIDTH),
  weight: ramp(VOCAB * WIDTH),
  reference: { logps: Float64Array.of(-4, -3, -5, -2) },
});

export const soundLora = () => ({ a: ramp(RANK * WIDTH), b: ramp(VOCAB * RANK), rank: RANK, scale: 0.5 });

const shape = { error: "ShapeError", code: "wrong-length" } as const;
const range = { error: "ParamError", code: "out-of-range" } as const;
const kind = { error: "KindError", code: "wrong-kind" } as const;
const unused = { error: "ParamError", code: "unused-option" } as const;

const sizes = { hidden: COUNT * WIDTH, weight: VOCAB * WIDTH, bias: VOCAB };

const arrays: LogitsRefusal[] = Object.entries(sizes).flatMap(([name, size]) =>
  ["", "reference."].flatMap((prefix): LogitsRefusal[] => {
    const put = (value: unknown) => {
      const { hidden, weight } = soundLinear();
      return { batch: prefix ? { reference: { hidden, weight, [name]: value } } : { [name]: value } };
    };
    return [
      ...[0, size - 1, size + 1].map((length) => ({
        what: `${length} numbers in ${prefix}${name} for ${size}`,
        ...put(new Float32Array(length)),
        ...shape,
        message: new RegExp(`^${prefix}${name}: expected ${size} values, got ${length}$`),
      })),
      ...[null, 3, Array(size).fill(0), new Float64Array(size), new Uint16Array(size), {}].map((value, k) => ({
        what: `${prefix}${name} is of the wrong kind (${k})`,
        ...put(value),
        ...kind,
        message: new RegExp(`^${prefix}${name}: expected a Float32Array, a Float16Array, .*, got `),
      })),
    ];
  }),
);

const widths: LogitsRefusal[] = [
  ...[0, -1, 2.5, Number.NaN, 2 ** 31].map((hiddenSize) => ({
    what: `hiddenSize is ${hiddenSize}`,
    batch: { hiddenSize },
    ...range,
    message: new RegExp(`^hiddenSize: expected an integer in 1\\.\\.2147483647, got ${hiddenSize}$`),
  })),
  { what: "hiddenSize is a string", batch: { hiddenSize: "3" }, ...kind, message: /^hiddenSize: expected a number/ },
  {
    what: "a hiddenSize of 2 for 3",
    batch: { hiddenSize: 2 },
    ...shape,
    message: /^hidden: expected 16 values, got 24$/,
  },
];

const withLora = (change: object) => ({ batch: { lora: { ...soundLora(), ...change } } });
const adapters: LogitsRefusal[] = [
  ...[null, 3, "lora"].map((lora) => ({
    what: `lora is ${lora}`,
    batch: { lora },
    ...kind,
    message: /^lora: expected an object, got /,
  })),
  ...[0, 1.5, -2].map((rank) => ({
    what: `a rank of ${rank}`,
    ...withLora({ rank }),
    ...range,
    message: /^lora\.rank: expected an integer in /,
  })),
  { what: "a rank of 3 for 2", ...withLora({ rank: 3 }), ...shape, message: /^lora\.a: expected 9 values, got 6$/ },
  { what: "b too short", ...withLora({ b: ramp(9) }), ...shape, message: /^lora\.b: expected 10 values, got 9$/ },
  {
    what: "a in float64",
    ...withLora({ a: new Float64Array(6) }),
    ...kind,
    message: /^lora\.a: expected a Float32Array/,
  },
  { what: "no b", ...withLora({ b: undefined }), ...kind, message: /^lora\.b: expected a Float32Array/ },
  { what: "no scale", ...withLora({ scale: undefined }), ...kind, message: /^lora\.scale: expected a number/ },
  { what: "an infinite scale", ...withLora({ scale: Infinity }), ...range, message: /^lora\.scale: expected a finite/ },
];

const references: LogitsRefusal[] = [
  {
    what: "no reference",
    batch: { reference: undefined },
    error: "ParamError",
    code: "missing-input",
    message: /^reference: expected with sigmoid, got nothing$/,
  },
  ...[null, 3, {}, { weight: ramp(15) }, { logps: Float64Array.of(1, 2, 3, 4), hidden: ramp(24) }].map(
    (reference, k) => ({
      what: `a reference of no known form (${k})`,
      batch: { reference },
      ...kind,
      message: /^reference: expected \{ logps \}, \{ logits \} or \{ hidden, weight \}, got /,
    }),
  ),
  {
    what: "a reference without a weight",
    batch: { reference: { hidden: ramp(24) } },
    ...kind,
    message: /^reference\.weight: expected a Float32Array/,
  },
  {
    what: "a reference of another width than it says",
    batch: { reference: { hidden: ramp(24), weight: ramp(15), hiddenSize: 4 } },
    ...shape,
    message: /^reference\.hidden: expected 32 values, got 24$/,
  },
];

const buffers: LogitsRefusal[] = [
  ...[
    { name: "gradHidden", size: sizes.hidden },
    { name: "gradWeight", size: sizes.weight },
  ].flatMap(({ name, size }): LogitsRefusal[] => [
    {
      what: `out.${name} too long`,
      options: { out: { [name]: new Float32Array(size + 1) } },
      ...shape,
      message: new RegExp(`^out\\.${name}: expected ${size} values, got ${size + 1}$`),
    },
    {
      what: `out.${name} of another type`,
      options: { out: { [name]: { bf16: new Uint16Array(size) } } },
      ...kind,
      message: new RegExp(`^out\\.${name}: expected f32 \\(gradType "same"\\), got bf16$`),
    },
  ]),
  ...["gradBias", "gradA", "gradB", "gradLogits"].map((name) => ({
    what: `out.${name}, where there is none`,
    options: { out: { [name]: new Float32Array(5) } },
    error: "ParamError" as const,
    code: "unknown-option" as const,
    message: new RegExp(`^out\\.${name}: not a result; known: .*gradHidden, gradWeight$`),
  })),
  {
    what: "out.gradWeight with an adapter",
    ...withLora({}),
    options: { out: { gradWeight: ramp(15) } },
    error: "ParamError",
    code: "unknown-option",
    message: /^out\.gradWeight: not a result; known: .*gradHidden, gradA, gradB$/,
  },
  {
    what: "accumulate without gradients to add to",
    options: { accumulate: true },
    error: "ParamError",
    code: "missing-input",
    message: /^out\.gradWeight: expected with accumulate, got nothing$/,
  },
  {
    what: "accumulate of another kind",
    options: { accumulate: 1 },
    ...kind,
    message: /^accumulate: expected true or false/,
  },
  { what: "inPlace", options: { inPlace: true }, ...unused, message: /^inPlace: not used by linearLoss/ },
  { what: "WPO with sft", options: { lossType: "sft", weighting: "wpo" }, ...unused, message: /^weighting: "wpo"/ },
  { what: "out that is null", options: { out: null }, ...kind, message: /^out: expected an object/ },
  {
    what: "a signal that is aborted",
    options: { signal: AbortSignal.abort("enough") },
    error: "AbortError",
    code: "aborted",
    message: /aborted/,
  },
  {
    what: "losses too long",
    options: { out: { losses: new Float32Array(PAIRS + 1) } },
    ...shape,
    message: /^out\.losses: expected 2 values, got 3$/,
  },
];

const notFinite = (name: string, batch: object, message: RegExp): LogitsRefusal => ({
  what: `a NaN in ${name}, asked for`,
  batch: batch as Record<string, unknown>,
  options: { validate: "finite" },
  error: "ParamError",
  code: "not-finite",
  message,
});

const finite: LogitsRefusal[] = [
  notFinite(
    "hidden",
    { hidden: ramp(24).fill(Number.NaN, 7, 8) },
    /^hidden\[7\]: expected a finite .*, got NaN \(row 2\)$/,
  ),
  notFinite("weight", { weight: { bf16: new Uint16Array(15).fill(0x7fc0, 4) } }, /^weight\[4\]: .*, got NaN$/),
  notFinite("bias", { bias: ramp(5).fill(Infinity, 2) }, /^bias\[2\]: .*, got Infinity$/),
  notFinite(
    "lora.b",
    { lora: { ...soundLora(), b: ramp(10).fill(-Infinity, 9) } },
    /^lora\.b\[9\]: .*, got -Infinity$/,
  ),
];

export const linearRefusals: readonly LogitsRefusal[] = [
  ...arrays,
  ...widths,
  ...adapters,
  ...references,
  ...buffers,
  ...finite,
];

// Ways to spoil a call with logits: fields of the wrong kind and size, ids and offsets out of range, arrays cut short.

/** What a call is made from. */
export type Fields = Record<string, unknown>;
export interface HostileCall {
  batch: Fields & { tokens: Fields };
  options: Fields;
}

/** A change of a sound call, under a name that a failing property prints. */
export interface Spoil {
  what: string;
  apply(call: HostileCall): void;
}

// Frozen, so that a later change of the same call leaves them as they are.
const empties = [Object.freeze({}), Object.freeze([])];
const numbers = [Number.NaN, Infinity, -Infinity, -1, 0, 0.5, 2 ** 31, 2 ** 53, 1e300];
const bad: unknown[] = [null, undefined, "7", ...numbers, 3n, ...empties, true];
const odd: unknown[] = [
  ...bad,
  new Float32Array(3),
  new Uint8Array(2),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  () => 1,
];
const shown = (value: unknown): string => {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (ArrayBuffer.isView(value)) return `${kind} of ${value.byteLength} bytes`;
  if (typeof value !== "object" || value === null) return `${kind} ${String(value)}`;
  return `${kind} { ${Object.entries(value).map(([name, inner]) => `${name}: ${shown(inner)}`)} }`;
};

/** Plain objects that may be changed. */
const isOpen = (value: unknown): value is Fields =>
  Object.prototype.toString.call(value) === "[object Object]" && Object.isExtensible(value);

const put = (path: readonly string[], value: unknown): Spoil => ({
  what: `${path.join(".")} = ${shown(value)}`,
  apply(call) {
    let fields: unknown = call;
    for (const name of path.slice(0, -1)) fields = isOpen(fields) ? fields[name] : undefined;
    if (isOpen(fields)) fields[path.at(-1) as string] = value;
  },
});

const counts = ["pairs", "length"].flatMap((name) => bad.map((value) => put(["batch", "tokens", name], value)));
const vocabs = [...bad, 1, 2, 64, 2 ** 31 - 1].map((value) => put(["batch", "vocab"], value));
const objects = [
  ["batch", "tokens"],
  ["batch", "logits"],
  ["batch", "reference"],
  ["batch", "reference", "logits"],
  ["batch", "reference", "logps"],
  ["options", "out"],
  ["options", "ldAlpha"],
  ["options", "gradType"],
  ["options", "inPlace"],
  ["options", "gradScale"],
  ["options", "metrics"],
  ["options", "validate"],
  ["options", "weighting"],
  ["options", "lossType"],
  ["options", "beta"],
  ["options", "onProgress"],
  ["options", "lossWeights"],
].flatMap((path) => odd.map((value) => put(path, value)));
const buffers = ["losses", "gradChosen", "logps", "tokenLogps", "logsumexp", "gradLogits", "nosuch"].flatMap((name) =>
  [
    null,
    new Float32Array(0),
    new Float32Array(2),
    new Float64Array(4),
    new Float32Array(300),
    new Uint16Array(9),
    5,
  ].map((value) => put(["options", "out"], Object.freeze({ [name]: value }))),
);

const arrayNames = ["inputIds", "completionMask", "offsets", "targets", "lengths"];
type Elements = Int32Array | BigInt64Array | Uint8Array;
const kinds = [Int32Array, BigInt64Array, Uint8Array];
const isElements = (value: unknown): value is Elements =>
  kinds.some((kind) => value instanceof kind) && (value as Elements).length > 0;

const change = (what: string, name: string, make: (array: Elements) => unknown): Spoil => ({
  what: `${name}: ${what}`,
  apply({ batch: { tokens } }) {
    const array = typeof tokens === "object" && tokens !== null ? tokens[name] : undefined;
    if (isElements(array)) tokens[name] = make(array);
  },
});
const withNumber = (array: Elements, at: number, value: number): Elements => {
  const changed = array.slice();
  if (changed instanceof BigInt64Array) changed[at % changed.length] = BigInt(value);
  else changed[at % changed.length] = value;
  return changed;
};
const elements = arrayNames.flatMap((name) => [
  ...[-1, -100, 2, 33, 1e6, 2 ** 31 - 1, -(2 ** 31)].flatMap((value) =>
    [0, 1, 4, 11].map((at) => change(`[${at}] = ${value}`, name, (array) => withNumber(array, at, value))),
  ),
  change("2^32 over what was", name, (array) =>
    array instanceof BigInt64Array ? array.map((x) => x + 2n ** 32n) : array,
  ),
  change("one less", name, (array) => array.slice(0, -1)),
  change("nothing", name, (array) => array.slice(0, 0)),
  change("twice", name, (array) => new (array.constructor as Int32ArrayConstructor)(2 * array.length)),
  change("backwards", name, (array) => array.slice().reverse()),
  change("as floats", name, (array) => Float32Array.from(array as Int32Array, Number)),
  change("as a list", name, (array) => Array.from(array as Int32Array)),
  change("as a DataView", name, ({ buffer }) => new DataView(buffer as ArrayBuffer)),
  change("detached", name, (array) => {
    const { buffer } = array.slice();
    const view = new (array.constructor as Int32ArrayConstructor)(buffer);
    structuredClone(null, { transfer: [buffer as ArrayBuffer] });
    return view;
  }),
]);

const cut: Spoil[] = [1, 7].map((n) => ({
  what: `logits: ${n} less`,
  apply({ batch }) {
    const { logits } = batch;
    if (logits instanceof Float32Array) batch["logits"] = logits.subarray(0, Math.max(logits.length - n, 0));
    else if (logits && typeof logits === "object") {
      const [[name, bits] = ["", undefined]] = Object.entries(logits);
      if (bits instanceof Uint16Array) batch["logits"] = { [name]: bits.subarray(0, Math.max(bits.length - n, 0)) };
    }
  },
}));

const others: Spoil[] = [
  {
    what: "tokens of both layouts",
    apply: ({ batch }) => {
      batch.tokens = { ...batch.tokens, offsets: new Int32Array(3), inputIds: new Int32Array(4) };
    },
  },
  {
    what: "logits of both halves",
    apply: ({ batch }) => {
      batch["logits"] = { f16: new Uint16Array(12), bf16: new Float32Array(12) };
    },
  },
  {
    what: "the reference's logits are the policy's",
    apply: ({ batch }) => {
      batch["reference"] = { logits: batch["logits"] };
    },
  },
];

/** Ways to spoil a call, by what they do; some change nothing in some calls, so that sound ones are among them. */
export const spoils: ReadonlyMap<string, Spoil> = new Map(
  [...counts, ...vocabs, ...objects, ...buffers, ...elements, ...cut, ...others].map((spoil) => [spoil.what, spoil]),
);

// What the modules export, and instances of them.

import { bufferOf, bytesOf as byteLengthOf, offsetOf } from "../checks/views.ts";
import { BackendError, KindError } from "../errors.ts";
import type { Instance, WasmModule } from "../globals.ts";
import type { FloatType } from "../inputs/floats.ts";
import { kindOf, reasonIn } from "../messages.ts";
import type { KernelName } from "../plan/constants.gen.ts";

/** What the modules export; pointers and counts are numbers, arrays are float32 unless a name says otherwise. */
export type KernelExports = {
  readonly [name in `${KernelName}_f32`]: (
    policyChosen: number,
    policyRejected: number,
    referenceChosen: number,
    referenceRejected: number,
    chosenLengths: number,
    rejectedLengths: number,
    rewardMargin: number,
    loss: number,
    gradChosen: number,
    gradRejected: number,
    n: number,
    constants: number,
  ) => void;
} & {
  /** Takes n more logits of a row into its state: maximum, Σe^(x−max), and with statistics Σe^(x−max)(x−max), Σe^2(x−max), Σx. */
  readonly [name in `${"logsumexp" | "logits_stats"}_${FloatType}`]: (x: number, n: number, state: number) => void;
} & {
  /** out = g·(1[v = label] − e^(x−max)/sum); label −1 is none. */
  readonly [name in `logits_grad_${FloatType | "f16_f32" | "bf16_f32"}`]: (
    x: number,
    out: number,
    n: number,
    label: number,
    g: number,
    max: number,
    sum: number,
  ) => void;
} & {
  /** Between float32 and half types: n elements, a multiple of 16. */
  readonly [name in `${"widen" | "narrow"}_${"f16" | "bf16"}`]: (x: number, out: number, n: number) => void;
} & {
  readonly HEAP_BASE: WebAssembly.Global;
  readonly SCRATCH_BYTES: WebAssembly.Global;
  readonly SORT_COUNTS_BYTES: WebAssembly.Global;
  pair_stats_f32(pc: number, pr: number, rc: number, rr: number, n: number, sums: number): void;
  /** Labels, bytes, as float32. */
  labels_f32(x: number, out: number, n: number): void;
  row_stats_f32(policy: number, reference: number, desirable: number, n: number, sums: number): void;
  sum_f32(x: number, n: number): number;
  /** The sum of ORPO's o of n pairs from their losses; NaN where one of these has no digits left of it. */
  odds_sum_f32(loss: number, n: number, inverse: number): number;
  scan_f32(x: number, n: number, out: number): void;
  scan_i32(x: number, n: number, out: number): void;
  add_f32(x: number, y: number, n: number): void;
  weigh_f32(x: number, y: number, n: number): void;
  scale_f32(y: number, n: number, factor: number): void;
  /** out = slope·x of both sides. */
  chain_f32(slope: number, x: number, y: number, outX: number, outY: number, n: number): void;
  /** out = x, n int32 as float32; `out` may be `x`. */
  lengths_f32(x: number, out: number, n: number): void;
  clear_empty_f32(length: number, y: number, n: number): void;
  scaled_difference_f32(x: number, y: number, out: number, n: number, factor: number): void;
  likelihood_f32(pc: number, loss: number, gc: number, gr: number, n: number, value: number, slope: number): void;
  argsort_f64(keys: number, order: number, keys2: number, order2: number, counts: number, n: number): void;
  difference_f64(x: number, y: number, out: number, n: number): void;
  scatter_f32(x: number, order: number, out: number, n: number): void;
  /** Rows of a panel of A: 4 or 6. */
  readonly GEMM_ROWS: WebAssembly.Global;
  /** C = A·B, or C += A·B with `add` 1: panels in, rows `stride` apart out; m a multiple of GEMM_ROWS, n of 8. */
  gemm_f32(a: number, b: number, c: number, m: number, n: number, k: number, stride: number, add: number): void;
  /** Rows to panels: [m/width][k][width]. */
  pack_columns_f32(x: number, stride: number, m: number, k: number, out: number, width: number): void;
  /** Rows to panels: m rows of [n/width][panel][width]. */
  pack_rows_f32(x: number, stride: number, m: number, n: number, out: number, panel: number, width: number): void;
  /** A tile of logits, from id `first` on: into seven sums a row, or to gradients in place. */
  linear_sums_f32(
    tile: number,
    stride: number,
    rows: number,
    n: number,
    first: number,
    ids: number,
    sums: number,
    all: number,
  ): void;
  linear_grad_f32(
    tile: number,
    stride: number,
    rows: number,
    n: number,
    first: number,
    ids: number,
    slopes: number,
  ): void;
  /** The same through a transform, or of entropies: h and mean a row, at `entropies` if it is not 0. */
  linear_chain_f32(
    tile: number,
    stride: number,
    rows: number,
    n: number,
    first: number,
    ids: number,
    slopes: number,
    entropies: number,
    inner: number,
    outer: number,
  ): void;
  /** out = inner·x, or outer·tanh(inner·x) where outer is not 0. */
  transform_f32(x: number, out: number, n: number, inner: number, outer: number): void;
  /** A gradient with respect to z, which `transform_f32` gave, to one with respect to x, in place. */
  transform_grad_f32(z: number, grad: number, n: number, inner: number, outer: number): void;
  /** `logsumexp_f32` and `logits_stats_f32` of n more logits that are transformed first, to `z`, which may be `x`. */
  logsumexp_through_f32(x: number, z: number, n: number, state: number, inner: number, outer: number): void;
  logits_stats_through_f32(x: number, z: number, n: number, state: number, inner: number, outer: number): void;
  /** `logits_grad_f32` with respect to x in one pass, from z; `out` may be `z`. */
  logits_grad_through_f32(
    z: number,
    out: number,
    n: number,
    label: number,
    g: number,
    max: number,
    sum: number,
    inner: number,
    outer: number,
  ): void;
  /** out = g·(1[v = label] − p) − h·p·(log p + H), with mean = Σ p·(x − max); label −1 is none. */
  entropy_grad_f32(
    x: number,
    out: number,
    n: number,
    label: number,
    g: number,
    h: number,
    max: number,
    sum: number,
    mean: number,
  ): void;
};

/** What `createWasm({ module })` takes. */
export type WasmSource =
  | WasmModule
  | ArrayBuffer
  | ArrayBufferView<ArrayBufferLike>
  | Instance<"Response", { arrayBuffer(): Promise<ArrayBuffer> }>;

/** What refuses to compile, in words. */
export function refused(cause: unknown): BackendError {
  const message = `wasm: this place does not compile WebAssembly (${reasonIn(cause)}); allow 'wasm-unsafe-eval', pass a module, or use createJs()`;
  return new BackendError("unavailable", message, { cause });
}

/**
 * The bytes in what the caller gave, or its module.
 *
 * Throws    KindError for anything else, and for what cannot be read
 */
export async function readSource(
  given: WasmSource | Promise<WasmSource>,
): Promise<Uint8Array<ArrayBuffer> | WebAssembly.Module> {
  const expected = "module: expected a WebAssembly.Module, its bytes or a Response";
  let source: unknown = given;
  try {
    source = await given;
    const bytes = isResponse(source) ? await source.arrayBuffer() : source;
    // A copy: what was read is what is compiled.
    if (ArrayBuffer.isView(bytes)) return new Uint8Array(bufferOf(bytes), offsetOf(bytes), byteLengthOf(bytes)).slice();
    if (isBuffer(bytes)) return new Uint8Array(bytes).slice();
    if (isModule(bytes)) return bytes;
  } catch (cause) {
    throw new KindError(`${expected}, got one that cannot be read`, { cause });
  }
  throw new KindError(`${expected}, got ${kindOf(source)}`);
}

const isResponse = (source: unknown): source is Response =>
  typeof source === "object" && source !== null && "arrayBuffer" in source && typeof source.arrayBuffer === "function";

// Those of other realms too: neither is asked what it says of itself.
function isBuffer(source: unknown): source is ArrayBuffer {
  try {
    return new Uint8Array(source as ArrayBuffer).buffer === source;
  } catch {
    return false;
  }
}

function isModule(source: unknown): source is WebAssembly.Module {
  try {
    WebAssembly.Module.exports(source as WebAssembly.Module);
    return true;
  } catch {
    return false;
  }
}

export const isBytes = (source: Uint8Array<ArrayBuffer> | WebAssembly.Module): source is Uint8Array<ArrayBuffer> =>
  ArrayBuffer.isView(source);

/** The first page of a memory: the module's constants, and the scratch memory of an instance that has it for itself. */
export const STATIC_BYTES = 65536;
export const OWN_SCRATCH = 16384;

// One of each kind of call, so that another module, or one of another version, is told from ours.
const needed = [
  "HEAP_BASE",
  "pair_sigmoid_unsmoothed_f32",
  "argsort_f64",
  "logits_grad_f32",
  "gemm_f32",
  "linear_grad_f32",
];

/** An instance over a memory; `scratch` is the address of SCRATCH_BYTES that no other instance uses. */
export function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  scratch: number = OWN_SCRATCH,
): KernelExports {
  const expected = "module: expected the kernels of this version, `dpo-kernels/kernels.wasm`";
  try {
    const { exports } = new WebAssembly.Instance(module, { env: { memory, scratch, abort: () => {} } });
    const missing = needed.find((name) => !(name in exports));
    if (missing === undefined) return exports as KernelExports;
    throw new KindError(`${expected}, got a module without ${missing}`);
  } catch (cause) {
    // WebKit compiles under any content policy, and refuses here.
    if (cause instanceof WebAssembly.CompileError) throw refused(cause);
    throw cause instanceof WebAssembly.LinkError ? new KindError(`${expected}, got another`, { cause }) : cause;
  }
}

// A model as an ONNX session: what it is fed with, and which of its outputs is wanted. Models of transformers.js have theirs inside;
// it is run directly, so that caches which nobody reads are never fetched.

import { ParamError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import type { ModelBatch, ModelSession } from "./scorer-types.ts";

/** What a session says of an input. */
interface Metadata {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly shape?: readonly unknown[];
}

const keeps = ["num_logits_to_keep", "logits_to_keep"];

/** The session of a model. Throws    ParamError for a model of several */
export function sessionOf(model: object): ModelSession | undefined {
  if ("inputNames" in model && "run" in model) return model as ModelSession;
  const { sessions } = model as { sessions?: unknown };
  if (typeof sessions !== "object" || sessions === null) return undefined;
  const [[, session] = [], ...others] = Object.entries(sessions);
  if (session !== undefined && others.length === 0) return session as ModelSession;
  const names = Object.keys(sessions).join(", ");
  throw new ParamError("out-of-range", `model: expected a language model of one session, got ${names || "none"}`);
}

/** The output that is read: hidden states where there is a head for them. Throws    ParamError where there is none of these */
export function outputOf({ outputNames }: ModelSession, hasHead: boolean): "logits" | "last_hidden_state" {
  const wanted = hasHead ? (["last_hidden_state", "logits"] as const) : (["logits"] as const);
  const found = wanted.find((name) => outputNames.includes(name));
  if (found !== undefined) return found;
  throw new ParamError(
    "missing-input",
    `model: expected an output ${wanted.join(" or ")}, got ${outputNames.join(", ")}`,
  );
}

/** Whether padding on the left can be told to the session: it has to know what is padding, and where rows begin. */
export const takesLeftPadding = ({ inputNames }: ModelSession): boolean =>
  inputNames.includes("attention_mask") && inputNames.includes("position_ids");

/** What the session is fed with. Throws    ParamError for inputs of which nothing is known */
export function feedsOf(session: ModelSession, batch: ModelBatch): Record<string, object> {
  const { inputNames, inputMetadata = [] } = session;
  const metadata = new Map((inputMetadata as readonly Metadata[]).map((one) => [one.name, one]));
  if (!inputNames.includes("input_ids")) {
    throw new ParamError("missing-input", `model: expected an input input_ids, got ${inputNames.join(", ")}`);
  }
  return Object.fromEntries(inputNames.map((name) => [name, feedOf(name, batch, metadata.get(name))]));
}

function feedOf(name: string, batch: ModelBatch, metadata: Metadata | undefined): object {
  const { rows, length } = batch;
  const isInt32 = metadata?.type === "int32";
  const integers = (values: ArrayLike<number>, dims: readonly number[]): object =>
    isInt32
      ? tensorOf("int32", Int32Array.from(values), dims)
      : tensorOf("int64", BigInt64Array.from(Array.from(values, BigInt)), dims);
  const perToken: Readonly<Record<string, ArrayLike<number>>> = {
    input_ids: batch.inputIds,
    attention_mask: batch.attentionMask,
    position_ids: batch.positionIds,
    token_type_ids: { length: rows * length },
  };
  const values = Object.hasOwn(perToken, name) ? perToken[name] : undefined;
  if (values) return integers(name === "token_type_ids" ? new Uint8Array(values.length) : values, [rows, length]);
  if (keeps.includes(name)) return integers([length - batch.logitsFrom], metadata?.shape?.length === 1 ? [1] : []);
  if (name === "use_cache_branch") return tensorOf("bool", Uint8Array.of(0), [1]);
  if (name.startsWith("past")) return emptyCache(name, rows, metadata);
  throw new ParamError("out-of-range", `model: expected inputs of a language model, got one that is called "${name}"`);
}

// Plain objects: ONNX Runtime reads of a tensor what is here, and so none of its packages is needed.
const tensorOf = (type: string, data: ArrayBufferView, dims: readonly number[]): object => ({
  ...{ type, data, dims, location: "cpu" },
  size: (data as Uint8Array).length,
});

const cacheArrays = { float32: Float32Array, float16: Uint16Array };

// Of the past there is nothing yet: no positions; states of fixed size are zeros.
function emptyCache(name: string, rows: number, metadata: Metadata | undefined): object {
  const { type, shape } = metadata ?? {};
  const make =
    typeof type === "string" && Object.hasOwn(cacheArrays, type) ? cacheArrays[type as "float32"] : undefined;
  if (!make || !shape) {
    throw new ParamError("missing-input", `model: expected metadata of its input ${name}, got ${kindOf(metadata)}`);
  }
  const dims = shape.map((size, i) => (typeof size === "number" && size >= 0 ? size : i === 0 ? rows : 0));
  return tensorOf(type as string, new make(dims.reduce((product, n) => product * n, 1)), dims);
}

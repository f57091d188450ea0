// What a model does to its logits, from the config.json that Hugging Face keeps beside its weights.

import { outOfRange, wrongKind } from "../checks/refusals.ts";
import { isRecord, shown } from "../messages.ts";

/** The options that go with a model, for every call that sees its logits or hidden states. */
export interface ModelLogitOptions {
  logitScale?: number;
  logitSoftcap?: number;
}

type Config = Readonly<Record<string, unknown>>;

/** Where a key stands: in the configuration itself, or in that of its language model. */
interface Found {
  readonly name: string;
  readonly value: unknown;
  readonly config: Config;
}

function find(config: Config, key: string): Found | undefined {
  if (config[key] !== undefined && config[key] !== null) return { name: key, value: config[key], config };
  const { text_config: text } = config;
  if (text === undefined || text === null) return undefined;
  if (!isRecord(text)) throw wrongKind("config.text_config", "an object", text);
  const inner = text as Config;
  if (inner[key] === undefined || inner[key] === null) return undefined;
  return { name: `text_config.${key}`, value: inner[key], config: { ...config, ...inner } };
}

function positive({ name, value }: Pick<Found, "name" | "value">): number {
  if (typeof value !== "number") throw wrongKind(`config.${name}`, "a number", value);
  if (value > 0 && value < Infinity) return value;
  throw outOfRange(`config.${name}`, "a number > 0", value);
}

// Granite and MiniCPM3 divide by it, HyperCLOVA X multiplies.
function scaling(found: Found): number {
  const value = positive(found);
  const type = String(found.config["model_type"] ?? "").toLowerCase();
  if (type.startsWith("granite") || type.startsWith("minicpm")) return 1 / value;
  if (type.startsWith("hyperclovax") || value === 1) return value;
  throw outOfRange(
    "config.model_type",
    `granite…, minicpm… or hyperclovax…, which give ${found.name} its meaning`,
    shown(found.config["model_type"]),
  );
}

// MPT may name its scale in words.
function logitScale(found: Found): number {
  if (found.value !== "inv_sqrt_d_model") return positive(found);
  return 1 / Math.sqrt(positive({ name: "d_model", value: found.config["d_model"] }));
}

const scales: Readonly<Record<string, (found: Found) => number>> = {
  logit_scale: logitScale,
  output_multiplier: positive,
  lm_head_multiplier: positive,
  logits_scaling: scaling,
};

/**
 * `logitScale` and `logitSoftcap` of a model, from its `config.json` as an object: `final_logit_softcapping` (Gemma),
 * `logit_scale` (Cohere, MPT), `output_multiplier`, `lm_head_multiplier` (Falcon-H1), `logits_scaling` (Granite, MiniCPM3,
 * HyperCLOVA X), also within `text_config`. A model that leaves its logits as they are gives {}.
 *
 * Throws    KindError, ParamError: values of the wrong kind or out of range, a `logits_scaling` of an unknown model, two scales
 * @example  import { createWasm, logitTransform } from "dpo-kernels";
 *           const options = logitTransform({ model_type: "gemma2", final_logit_softcapping: 30 });
 *           const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(2, 0) };
 *           const wasm = await createWasm();
 *           const { logps } = wasm.sequenceLogps({ tokens, vocab: 3, logits: new Float32Array(2 * 3) }, options);
 */
export function logitTransform(config: object): ModelLogitOptions {
  if (!isRecord(config)) throw wrongKind("config", "an object", config);
  const given = config as Config;
  const found = Object.entries(scales).flatMap(([key, read]) => {
    const at = find(given, key);
    const scale = at ? read(at) : 1;
    return at && scale !== 1 ? [{ name: at.name, scale }] : [];
  });
  const [first, second] = found;
  if (first && second) {
    throw outOfRange("config", "one scale of logits", `${first.name} and ${second.name}`);
  }
  const softcap = find(given, "final_logit_softcapping");
  return {
    ...(first && { logitScale: first.scale }),
    ...(softcap && { logitSoftcap: positive(softcap) }),
  };
}

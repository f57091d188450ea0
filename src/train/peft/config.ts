// adapter_config.json as PEFT writes it, for a LoRA of one matrix. What would make another function of the same tensors is refused.

import { checkCount } from "../../checks/numbers.ts";
import { printable } from "../../checks/printable.ts";
import { unusedOption, wrongKind } from "../../checks/refusals.ts";
import { KindError } from "../../errors.ts";
import { between, finite, type Param, readNumber } from "../../losses/ranges.ts";
import { isRecord, shown } from "../../messages.ts";

const FILE = "adapter_config.json";

/** What the tensors mean. */
export interface AdapterConfig {
  readonly rank: number;
  /** PEFT's `lora_alpha` over the rank, or over its root in an rsLoRA. */
  readonly scale: number;
  readonly dropout: number;
  /** Where the base model is from. */
  readonly baseModel: string | undefined;
  /** Whether PEFT would adapt a module of this name. */
  readonly targets: (module: string) => boolean;
}

/** Changes nothing in what a trained adapter computes. */
const harmless: ReadonlySet<string> = new Set([
  ...["auto_mapping", "ensure_weight_tying", "inference_mode", "peft_version", "revision", "runtime_config"],
  ...["exclude_modules", "fan_in_fan_out", "layers_pattern", "layers_to_transform", "megatron_config", "megatron_core"],
  ...["corda_config", "eva_config", "loftq_config", "lora_ga_config", "qalora_group_size"],
]);

/** Beginnings that leave the base model as it is; PiSSA, OLoRA, CorDA, LoftQ take the adapter's share out of its weights. */
const beginnings: readonly unknown[] = [true, false, null, "gaussian", "eva", "orthogonal"];

/** Throws    KindError, ParamError */
export function readConfig(text: string): AdapterConfig {
  const { peft_type, task_type, r, lora_alpha, lora_dropout, use_rslora, target_modules, ...others } = parse(text);
  const { base_model_name_or_path, bias = "none", init_lora_weights = true, ...rest } = others;
  expectOneOf("peft_type", peft_type, ["LORA"]);
  expectOneOf("task_type", task_type ?? "CAUSAL_LM", ["CAUSAL_LM"]);
  expectOneOf("bias", bias, ["none"]);
  expectOneOf("init_lora_weights", init_lora_weights, beginnings);
  expectOneOf("use_rslora", use_rslora ?? false, [true, false]);
  for (const [name, value] of Object.entries(rest)) {
    if (harmless.has(name) || isNeutral(value)) continue;
    const what = `${FILE}: ${printable(name)}`;
    throw unusedOption(what, `expected an adapter without it, got ${shown(value)}`);
  }
  checkCount(r, `${FILE}: r`);
  const alpha = number("lora_alpha", lora_alpha, finite(8));
  return {
    rank: r,
    scale: use_rslora === true ? alpha / Math.sqrt(r) : alpha / r,
    dropout: number("lora_dropout", lora_dropout, between(0, 1, 0)),
    baseModel: textOrNone("base_model_name_or_path", base_model_name_or_path),
    targets: readTargets(target_modules),
  };
}

/** The text for an adapter of `module`, with the fields that say what its tensors mean. */
export function printConfig(config: Omit<AdapterConfig, "targets">, module: string): string {
  const { rank, scale, dropout, baseModel } = config;
  // α is a whole number nearly always, which dividing and multiplying again may miss.
  const whole = Math.round(scale * rank);
  const fields = {
    base_model_name_or_path: baseModel ?? null,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: whole / rank === scale ? whole : scale * rank,
    lora_dropout: dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: rank,
    target_modules: [module],
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new KindError(`${FILE}: expected JSON, got other text`, { cause });
  }
  if (isRecord(value)) return value as Record<string, unknown>;
  throw wrongKind(FILE, "an object", value);
}

function expectOneOf(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return;
  const expected = allowed.map((one) => JSON.stringify(one)).join(", ");
  throw unusedOption(FILE, `${name}: expected ${expected}, got ${shown(value)}`);
}

// As PEFT writes a field that is not used.
function isNeutral(value: unknown): boolean {
  return value === null || value === false || (typeof value === "object" && Object.keys(value).length === 0);
}

const number = (name: string, value: unknown, param: Param): number => readNumber(value, `${FILE}: ${name}`, param);

function textOrNone(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw wrongKind(`${FILE}: ${name}`, "text", value);
}

// A text is a pattern, which PEFT has matched when it made the tensors.
function readTargets(value: unknown): (module: string) => boolean {
  if (typeof value === "string") return () => true;
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string")) {
    throw wrongKind(`${FILE}: target_modules`, "a list of names", value);
  }
  return (module) => value.some((name) => module === name || module.endsWith(`.${name}`));
}

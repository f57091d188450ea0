// logitTransform: what models do to their logits, from the configurations that they are published with.

import { describe, expect, it } from "vitest";
import { createJs, KindError, logitTransform, ParamError } from "../src/index.ts";

const read: [string, object, object][] = [
  [
    "Gemma 2",
    { model_type: "gemma2", final_logit_softcapping: 30.0, attn_logit_softcapping: 50.0 },
    { logitSoftcap: 30 },
  ],
  ["Gemma 3, whose cap is off", { model_type: "gemma3", text_config: { final_logit_softcapping: null } }, {}],
  [
    "a language model in text_config",
    { model_type: "gemma3n", text_config: { final_logit_softcapping: 30 } },
    { logitSoftcap: 30 },
  ],
  ["Cohere", { model_type: "cohere", logit_scale: 0.0625 }, { logitScale: 0.0625 }],
  ["Granite", { model_type: "granite", logits_scaling: 8.0 }, { logitScale: 0.125 }],
  ["Granite with experts", { model_type: "granitemoehybrid", logits_scaling: 6 }, { logitScale: 1 / 6 }],
  ["MiniCPM3", { model_type: "minicpm3", logits_scaling: 10 }, { logitScale: 0.1 }],
  ["HyperCLOVA X", { model_type: "hyperclovax", logits_scaling: 0.125 }, { logitScale: 0.125 }],
  [
    "its meaning from text_config",
    { model_type: "vlm", text_config: { model_type: "granite", logits_scaling: 4 } },
    { logitScale: 0.25 },
  ],
  ["Falcon-H1", { model_type: "falcon_h1", lm_head_multiplier: 0.0195 }, { logitScale: 0.0195 }],
  ["an output multiplier", { output_multiplier: 0.5 }, { logitScale: 0.5 }],
  ["MPT", { model_type: "mpt", logit_scale: "inv_sqrt_d_model", d_model: 4096 }, { logitScale: 1 / 64 }],
  ["MPT without", { model_type: "mpt", logit_scale: null, d_model: 4096 }, {}],
  ["both", { logit_scale: 2, final_logit_softcapping: 20 }, { logitScale: 2, logitSoftcap: 20 }],
  ["Llama", { model_type: "llama", vocab_size: 32000 }, {}],
  ["a scale of 1", { model_type: "other", logits_scaling: 1, lm_head_multiplier: 1 }, {}],
];

const refused: [string, unknown, typeof KindError | typeof ParamError, string][] = [
  ["null", null, KindError, "config: expected an object"],
  ["text", "{}", KindError, "config: expected an object"],
  ["text_config that is none", { text_config: 3 }, KindError, "config.text_config: expected an object"],
  ["a cap in words", { final_logit_softcapping: "30" }, KindError, "config.final_logit_softcapping: expected a number"],
  ["a cap of 0", { final_logit_softcapping: 0 }, ParamError, "config.final_logit_softcapping: expected a number > 0"],
  [
    "a scale below 0",
    { text_config: { logit_scale: -1 } },
    ParamError,
    "config.text_config.logit_scale: expected a number > 0",
  ],
  ["a scale in other words", { logit_scale: "inv" }, KindError, "config.logit_scale: expected a number"],
  [
    "logits_scaling of an unknown model",
    { model_type: "new", logits_scaling: 8 },
    ParamError,
    "config.model_type: expected granite",
  ],
  ["logits_scaling of no model", { logits_scaling: 8 }, ParamError, "config.model_type: expected granite"],
  ["two scales", { logit_scale: 2, output_multiplier: 3 }, ParamError, "expected one scale of logits"],
];

describe("logitTransform", () => {
  it.each(read)("%s", (_model, config, want) => {
    expect(logitTransform(config)).toEqual(want);
  });

  it.each(refused)("refuses %s", (_what, config, Refusal, message) => {
    expect(() => logitTransform(config as object)).toThrow(Refusal);
    expect(() => logitTransform(config as object)).toThrow(message);
  });

  it("gives options that calls take", () => {
    const tokens = { rows: 1, offsets: Int32Array.of(0, 1), targets: Int32Array.of(1) };
    const batch = { tokens, vocab: 2, logits: Float32Array.of(0, 3) };
    const { logps } = createJs().sequenceLogps(batch, logitTransform({ logit_scale: 2 }));
    expect(logps[0]).toBeCloseTo(-Math.log1p(Math.exp(-6)), 12);
  });
});

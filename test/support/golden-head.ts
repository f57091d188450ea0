// trl-1.16-head.json: TRL's own losses from hidden states through its fused head, as calls of this package.

import type { LinearBatch, LogitOptions, Tokens } from "../../src/types.ts";
import { optionsOf, readGolden } from "./golden.ts";
import { flatIds, flatMask } from "./logits.ts";

interface Inputs {
  input_ids: number[][];
  completion_mask: number[][];
  hidden: number[][][];
  ref_hidden: number[][][];
  weight: number[][];
  ref_weight: number[][];
  bias: number[];
  grad_token_logps: number[][];
  grad_entropy: number[][];
}

export interface HeadCase {
  id: string;
  loss_types: string[];
  loss_weights: number[];
  hyper: Record<string, unknown>;
  logit: LogitOptions;
  bias: boolean;
  f64: {
    loss: number;
    per_token_logps: number[][];
    grad_hidden: number[][][];
    grad_weight: number[][];
    grad_bias?: number[];
    metrics: Record<string, number>;
  };
}

/** The gradient of Σ grad_token_logps·ℓ, of Σ grad_entropy·H, or of both, with bias. */
export interface VjpCase {
  id: string;
  logit: LogitOptions;
  of: "logp" | "entropy" | "both";
  f64: {
    token_logps: number[][];
    entropy: number[][];
    grad_logits: number[][][];
    grad_hidden: number[][][];
    grad_weight: number[][];
    grad_bias: number[];
  };
}

const { inputs, cases, vjp } = readGolden<{ inputs: Inputs; cases: HeadCase[]; vjp: VjpCase[] }>("trl-1.16-head.json");

export { cases as headCases, inputs as headInputs, vjp as vjpCases };

/** The tokens, as pairs. */
export const headTokens: Tokens = {
  pairs: inputs.input_ids.length / 2,
  length: (inputs.input_ids[0] as number[]).length,
  inputIds: flatIds(inputs.input_ids),
  completionMask: flatMask(inputs.completion_mask),
};

/** The policy, with or without its bias. */
export const headPolicy = (bias: boolean): LinearBatch => ({
  tokens: headTokens,
  vocab: inputs.weight.length,
  hiddenSize: (inputs.weight[0] as number[]).length,
  hidden: Float32Array.from(inputs.hidden.flat(2)),
  weight: Float32Array.from(inputs.weight.flat()),
  ...(bias && { bias: Float32Array.from(inputs.bias) }),
});

/** The call of a case: the reference has a head of its own, and the policy's bias. */
export function headCallOf({ bias, logit, loss_types, loss_weights, hyper }: HeadCase) {
  const policy = headPolicy(bias);
  const reference = {
    hidden: Float32Array.from(inputs.ref_hidden.flat(2)),
    weight: Float32Array.from(inputs.ref_weight.flat()),
    ...(bias && { bias: policy.bias }),
  };
  return { batch: { ...policy, reference }, options: { ...optionsOf({ loss_types, loss_weights, hyper }), ...logit } };
}

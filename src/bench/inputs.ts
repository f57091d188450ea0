// What the cases hand to their candidates, ours and peers alike, and the names under which results come back to `Problem.check`.
// Arrays are the caller's own. A candidate never writes to inputs: what it updates or overwrites is a copy of its own.

import type { PackedTokens } from "../types.ts";

/** Results: `loss`; `losses`, `gradChosen`, `gradRejected`, [B]. */
export interface PairsInputs {
  readonly kind: "pairs";
  readonly lossType: "sigmoid" | "ipo";
  readonly beta: number;
  /** [B] each. */
  readonly pairs: {
    readonly policyChosen: Float32Array<ArrayBuffer>;
    readonly policyRejected: Float32Array<ArrayBuffer>;
    readonly referenceChosen: Float32Array<ArrayBuffer>;
    readonly referenceRejected: Float32Array<ArrayBuffer>;
  };
  /** Of `ipo`, which is of means over tokens. */
  readonly lengths?: {
    readonly chosenLengths: Int32Array<ArrayBuffer>;
    readonly rejectedLengths: Int32Array<ArrayBuffer>;
  };
}

/** Single rows, some to learn and some to unlearn. Results: `loss`; `losses`, `grad`, [B]. */
export interface RowsInputs {
  readonly kind: "rows";
  readonly lossType: "kto";
  readonly beta: number;
  /** [B] each. */
  readonly rows: {
    readonly policy: Float32Array<ArrayBuffer>;
    readonly reference: Float32Array<ArrayBuffer>;
    readonly desirable: Uint8Array<ArrayBuffer>;
    /** Log-probs of mismatched rows. */
    readonly klPolicy: Float32Array<ArrayBuffer>;
    readonly klReference: Float32Array<ArrayBuffer>;
  };
}

/** Forward gives log-probs alone, both also gradients. */
export type Pass = "forward" | "both";

/** What is the same of logits and hidden states: R rows of preference pairs, packed. */
interface Sequences {
  readonly pass: Pass;
  /** R */
  readonly rows: number;
  /** V */
  readonly vocab: number;
  readonly tokens: PackedTokens;
  /** [R] its targets: the token whose log-prob each row gives. */
  readonly ids: Int32Array<ArrayBuffer>;
  readonly lossType: "sigmoid";
  readonly beta: number;
  /** Scales the gradients, as in half-precision training: without it float16's vanish. */
  readonly gradScale: number;
  /** [2B] the reference's log-prob of each sequence. */
  readonly reference: Float64Array<ArrayBuffer>;
  /** [R] the gradient with respect to each row's log-prob: what a library without preference losses is handed. */
  readonly g: Float32Array<ArrayBuffer>;
}

/** Results: `logps`, [R]; `gradient`, [R·V] of the logits' type. */
export interface LogitsInputs extends Sequences {
  readonly kind: "logits";
  readonly type: "f32" | "f16" | "bf16";
  /** [R·V] numbers of float32, the bits of the other types. */
  readonly logits: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
}

/** Results: `logps`, [R]; `gradHidden`, [R·D]; `gradWeight`, [V·D]. */
export interface LinearInputs extends Sequences {
  readonly kind: "linear";
  /** D */
  readonly width: number;
  /** [R·D] */
  readonly hidden: Float32Array<ArrayBuffer>;
  /** [V·D] */
  readonly weight: Float32Array<ArrayBuffer>;
}

/** One step on one array, of a training that has some behind it. Results after the first run: `params`; of `clip` `norm`. */
export interface OptimiserInputs {
  readonly kind: "optimiser";
  readonly what: "adamw" | "sgd" | "clip";
  readonly params: Float32Array<ArrayBuffer>;
  readonly grads: Float32Array<ArrayBuffer>;
  /** Steps that there were before. */
  readonly step: number;
  /** AdamW's moments; the first is also the momentum of `sgd`. */
  readonly m: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;
  readonly hyper: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weightDecay: number;
    readonly momentum: number;
  };
}

/** A first loss. Results: those of the pairs. */
export interface StartInputs {
  readonly kind: "start";
  /** "create": of a backend that is made, the package being loaded; "import": in a process or a thread that has loaded nothing yet. */
  readonly what: "create" | "import";
  readonly pairs: PairsInputs;
}

export type Inputs = PairsInputs | RowsInputs | LogitsInputs | LinearInputs | OptimiserInputs | StartInputs;

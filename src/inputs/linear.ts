// The inputs of linearLoss, checked once, before anything is computed or written.

import { checkCount, checkFlag } from "../checks/numbers.ts";
import { unusedOption } from "../checks/refusals.ts";
import type { LinearGradients } from "../engine.ts";
import { ParamError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import type { LinearBatch, LinearBuffers, LinearLossOptions } from "../types.ts";
import type { AnyFloats, ArrayReader, FloatData } from "./floats.ts";
import { type AnyHead, type HeadData, headArrays, readHead } from "./head.ts";
import { checkOneOf, refuseUnused } from "./options.ts";
import {
  type AnyLossBatch,
  batchReader,
  type CheckedLoss,
  checkTokenLoss,
  type LossOptions,
  type LossRecord,
} from "./token-loss.ts";
import { readGradient } from "./token-results.ts";

/** A checked call of linearLoss. */
export interface LinearJob<F extends AnyFloats = FloatData> extends CheckedLoss<F>, HeadGradientArrays<F> {
  readonly head: HeadData<F>;
}

/** A gradient, and what it is the gradient of. */
interface Gradient<F> {
  readonly name: keyof LinearBuffers;
  readonly like: unknown;
  readonly input: F;
}

/** A batch as the caller of any backend gives it. */
export interface AnyLinearBatch extends AnyHead, AnyLossBatch {
  readonly hiddenSize: number;
}

/** A batch of hidden states, all its fields read once. Throws    KindError, ParamError for names that are none */
export const readLinearBatch = batchReader<LossRecord & Omit<LinearBatch, "tokens">>([
  "tokens",
  "vocab",
  "hiddenSize",
  "hidden",
  "weight",
  "bias",
  "lora",
  "reference",
  "rewardMargin",
  "desirable",
  "kl",
]);

/**
 * Checks what `linearLoss` is given, once it is read, and makes the arrays of gradients that were not.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLinear<F extends AnyFloats>(
  reader: ArrayReader<F>,
  batch: AnyLinearBatch,
  plan: Plan,
  options: LossOptions,
): LinearJob<F> {
  refuseUnused(options, ["inPlace"], "linearLoss, which has no logits to write over");
  return checkTokenLoss(reader, batch, plan, options, (tokens, transform, finite) => {
    const head = readHead(reader, batch, batch.hiddenSize, "", tokens, batch.vocab, finite, transform);
    const { names, read } = headGradients(reader, batch, head, options);
    return {
      source: { head },
      read: headArrays(head, ""),
      names,
      gradients(out) {
        const of = read(out);
        return [of.gradients, of];
      },
    };
  });
}

/** Where the gradients of a head go: as the result names them, seen by kernels and by the caller, and as engines take them. */
export interface HeadGradientArrays<F extends AnyFloats = FloatData> {
  readonly gradients: Readonly<Partial<Record<keyof LinearBuffers, F>>>;
  readonly results: Readonly<Partial<Record<keyof LinearBuffers, unknown>>>;
  readonly places: LinearGradients<F>;
}

/**
 * The gradients that a head has, by name: those of an adapter, or those of the head, which it freezes. `read` checks what the options
 * say of them; `out` has been read.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function headGradients<F extends AnyFloats>(
  reader: ArrayReader<F>,
  { hidden, weight, bias, lora }: AnyHead,
  head: HeadData<F>,
  options: Pick<LinearLossOptions, "gradType" | "accumulate" | "frozen" | "keep">,
) {
  const { gradType = "same", accumulate = false, frozen, keep = 0 } = options;
  if (frozen !== undefined) checkOneOf(frozen, "frozen", ["hidden", "head"]);
  const wanted: Gradient<F>[] = [];
  if (frozen !== "hidden") wanted.push({ name: "gradHidden", like: hidden, input: head.hidden });
  if (lora && head.lora) {
    if (frozen === "head") throw unusedOption("frozen", 'expected no "head" with lora, which freezes it');
    wanted.push({ name: "gradA", like: lora.a, input: head.lora.a });
    wanted.push({ name: "gradB", like: lora.b, input: head.lora.b });
  } else if (frozen !== "head") {
    wanted.push({ name: "gradWeight", like: weight, input: head.weight });
    if (bias && head.bias) wanted.push({ name: "gradBias", like: bias, input: head.bias });
  }
  return {
    names: wanted.map(({ name }) => name),
    read(out: Readonly<Record<string, unknown>>): HeadGradientArrays<F> {
      checkFlag(accumulate, "accumulate");
      checkCount(keep, "keep", 0, 2 ** 53 - 1);
      const results: Record<string, unknown> = {};
      const gradients: Partial<Record<keyof LinearBuffers, F>> = {};
      for (const { name, like, input } of wanted) {
        const given = out[name];
        if (accumulate && name !== "gradHidden" && given === undefined) {
          throw new ParamError("missing-input", `out.${name}: expected with accumulate, got nothing`);
        }
        const { value, data } = readGradient(reader, given, name, like, input, gradType);
        results[name] = value;
        gradients[name] = data;
      }
      const { gradHidden, gradWeight, gradBias, gradA, gradB } = gradients;
      const places = { hidden: gradHidden, weight: gradWeight, bias: gradBias, a: gradA, b: gradB, accumulate };
      return { gradients, results, places };
    },
  };
}

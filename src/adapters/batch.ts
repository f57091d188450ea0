// What the adapters share: dimensions against tokens, and the options that an adapter leaves to nobody.

import { KindError, ParamError, ShapeError } from "../errors.ts";
import { kindOf } from "../plan/plan.ts";
import type { LogitsLossOptions, PackedTokens, Tokens } from "../types.ts";

/** The options of `logitsLoss`, less those that say where the gradient goes: an adapter knows that. */
export type AdapterOptions = Omit<LogitsLossOptions, "inPlace" | "gradType" | "out">;

/** Refuses what `AdapterOptions` leaves out. */
export function checkAdapterOptions({ inPlace, gradType = "same", out }: LogitsLossOptions): void {
  if (!inPlace && gradType === "same" && out === undefined) return;
  throw new ParamError("unused-option", "inPlace, gradType, out: the adapter itself says where the gradient goes");
}

/**
 * The vocabulary of logits with these dimensions: the last one, if the others are those of the tokens.
 *
 * Shapes    padded tokens: [2B, T, V] or [2B·T, V]; packed tokens: [N, V] or [1, N, V]
 * Throws    ShapeError, KindError
 */
export function vocabOf(dims: readonly number[], tokens: Tokens | PackedTokens): number {
  if (typeof tokens !== "object" || tokens === null) {
    throw new KindError(`tokens: expected an object, got ${kindOf(tokens)}`);
  }
  const { pairs = 0, length = 0, targets } = tokens as Partial<Tokens & PackedTokens>;
  const [kind, ...fits] =
    "offsets" in tokens
      ? ["packed", `${targets?.length}`, `1, ${targets?.length}`]
      : ["padded", `${2 * pairs}, ${length}`, `${2 * pairs * length}`];
  const vocab = dims.at(-1);
  if (vocab !== undefined && fits.includes(dims.slice(0, -1).join(", "))) return vocab;
  const expected = fits.map((rows) => `[${rows}, V]`).join(" or ");
  throw new ShapeError("wrong-length", `logits: expected ${expected} (${kind} tokens), got [${dims.join(", ")}]`);
}

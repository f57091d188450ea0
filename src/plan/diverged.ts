// Which units margins under an f-divergence are kept in between their kernel and the loss's, so that a product of numbers
// beyond float32 comes out where it lies within.

import type { LossRecord } from "../losses/kinds.ts";
import type { Term } from "./plan.ts";

/** Hyperparameters of the loss's kernel, after `gradScale`, and of the divergence's. */
export interface DivergedParams {
  readonly gradScale: number;
  readonly loss: readonly number[];
  readonly margin: readonly number[];
}

/**
 * A loss of β·d computes with β/u and u·d alike; u = β to the nearest power of two, so that no digit changes. The derivatives
 * of the margin are kept in units of β·gradScale, about what they will be multiplied with.
 */
export function divergedParams({ loss, params, divergence }: Term, gradScale: number): DivergedParams {
  // Powers alone leave float32.
  if (!divergence || divergence.id === "js" || divergence.id === "js_anchored") {
    return { gradScale, loss: params, margin: divergence?.constants ?? [] };
  }
  const at = Object.keys(loss.params).indexOf("beta");
  const beta = params[at];
  const product = beta !== undefined && seesProduct(loss);
  const unit = product ? powerOfTwo(beta) : 1;
  const slopeUnit = powerOfTwo(unit * gradScale) / (product ? HEADROOM : 1);
  return {
    gradScale: (gradScale * unit) / slopeUnit,
    loss: params.map((param, i) => (i === at ? param / unit : param)),
    margin: [...divergence.constants, unit, slopeUnit],
  };
}

// Whether β and the margin enter the loss as their product alone: doubling one and halving the other changes no bit then.
// Asked once of a loss, at hyperparameters that depend on no call.
function seesProduct(loss: LossRecord): boolean {
  if (loss.kind !== "margin") return false;
  const known = products.get(loss);
  if (known !== undefined) return known;
  const at = (beta: number) =>
    Object.entries(loss.params).map(([name, param]) => (name === "beta" ? beta : param.default));
  const { formula: margin } = loss;
  const found = [3, 5].every((d) => margin(d, ...at(0.5))[0] === margin(2 * d, ...at(0.25))[0]);
  products.set(loss, found);
  return found;
}

const products = new WeakMap<LossRecord, boolean>();

// A loss's slope in units of β may be as small as this inverse before a gradient within float32 is lost. Slopes that are not
// in such units (ipo's) are as large as the margin, and have no room above them to give.
const HEADROOM = 256;

// Held where its inverse is a float32 too.
const powerOfTwo = (x: number): number => 2 ** Math.max(-100, Math.min(100, Math.floor(Math.log2(Math.abs(x)))));

import { defineLoss } from "./define.ts";
import { beta } from "./params.ts";

/**
 * Identity preference optimization: squares the distance of the length-normalised margin to 1/(2β).
 *
 * Note      For when DPO overfits its pairs. Needs lengths: guides write the formula without them, but TRL divides by the completion's
 *           length.
 * Paper     Azar et al. 2023, arXiv:2310.12036, eq. 17 (β is the paper's τ; TRL divides by length, confirmed by the authors)
 */
export const ipo = defineLoss({
  id: "ipo",
  title: "squared distance of the margin per token to 1/(2β)",
  params: { beta },
  normalised: true,
  margin: (d, beta) => {
    const error = d - 1 / (2 * beta);
    return [error * error, 2 * error];
  },
});

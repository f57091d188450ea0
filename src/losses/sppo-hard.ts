import { defineLoss } from "./define.ts";
import { beta } from "./params.ts";

/**
 * Pushes the two log-ratios to ±1/(2β). β sets the targets alone; it does not scale the log-ratios.
 *
 * Note      For self-play. β is 0.001 in practice: targets are ±500 and gradients of order 1/β, far from the other losses' scale.
 * Paper     Wu et al. 2024, arXiv:2405.00675 (win rates 1 and 0, η = 1/β)
 */
export const sppoHard = defineLoss({
  id: "sppo_hard",
  title: "squared distance of the log-ratios to ±1/(2β): SPPO with hard labels",
  params: { beta },
  pair: (a, c, beta) => {
    const up = a - 1 / (2 * beta);
    const down = c + 1 / (2 * beta);
    return [up * up + down * down, 2 * up, 2 * down];
  },
});

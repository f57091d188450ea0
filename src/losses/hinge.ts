import { defineLoss } from "./define.ts";
import { beta } from "./params.ts";

/**
 * Hinge on the β-scaled margin; 1/β is the margin in nats. At the kink, z = 1 exactly, the slope is 0.
 *
 * Note      A margin objective: no gradient beyond a margin of 1/β nats.
 * Paper     SLiC-HF, arXiv:2305.10425; in this form RSO, arXiv:2309.06657
 */
export const hinge = defineLoss({
  id: "hinge",
  title: "hinge on the margin: SLiC, RSO",
  params: { beta },
  margin: (d, beta) => {
    const slack = 1 - beta * d;
    return [Math.max(slack, 0), slack > 0 ? -beta : 0];
  },
});

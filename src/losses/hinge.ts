import { defineLoss } from "./define.ts";
import { beta } from "./params.ts";

/**
 * Hinge on the β-scaled margin. At the kink, z = 1 exactly, the slope is 0.
 *
 * Paper     SLiC-HF, arXiv:2305.10425; in this form RSO, arXiv:2309.06657. 1/β is the margin in nats.
 */
export const hinge = defineLoss({
  id: "hinge",
  title: "hinge on the margin: SLiC, RSO",
  paper: "arXiv:2309.06657",
  note: "A margin objective: no gradient beyond a margin of 1/β nats.",
  params: { beta },
  margin: (d, beta) => {
    const slack = 1 - beta * d;
    return [Math.max(slack, 0), slack > 0 ? -beta : 0];
  },
});

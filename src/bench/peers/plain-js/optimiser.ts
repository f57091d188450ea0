import type { OptimiserInputs } from "../../inputs.ts";
import type { Opened } from "../../types.ts";

export function optimiser({ what, grads, hyper, ...given }: OptimiserInputs): Opened | undefined {
  if (what !== "adamw") return undefined;
  const { lr, betas, eps, weightDecay } = hyper;
  const [params, m, v] = [given.params.slice(), given.m.slice(), given.v.slice()];
  const [beta1, beta2] = betas;
  let t = given.step;
  return {
    run() {
      t++;
      const size = lr / (1 - beta1 ** t);
      const root = Math.sqrt(1 - beta2 ** t);
      for (let i = 0; i < params.length; i++) {
        const g = grads[i] as number;
        const mean = beta1 * (m[i] as number) + (1 - beta1) * g;
        const square = beta2 * (v[i] as number) + (1 - beta2) * g * g;
        m[i] = mean;
        v[i] = square;
        params[i] = (params[i] as number) * (1 - lr * weightDecay) - (size * mean) / (Math.sqrt(square) / root + eps);
      }
    },
    results: () => ({ params }),
  };
}

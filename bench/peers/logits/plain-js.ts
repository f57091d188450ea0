import type { Input, Library } from "./peer.ts";

/** Loops over Float32Arrays, in float64. The gradient's array keeps the exponentials, so that there is one per logit. */
export function create({ rows, vocab, logits, ids, g }: Input): Library {
  const logps = new Float32Array(rows);
  const gradient = new Float32Array(rows * vocab);

  function forward(): void {
    for (let r = 0; r < rows; r++) {
      const from = r * vocab;
      const to = from + vocab;
      let max = -Infinity;
      for (let at = from; at < to; at++) {
        const x = logits[at] as number;
        if (x > max) max = x;
      }
      let sum = 0;
      for (let at = from; at < to; at++) sum += Math.exp((logits[at] as number) - max);
      logps[r] = (logits[from + (ids[r] as number)] as number) - max - Math.log(sum);
    }
  }

  function both(): void {
    for (let r = 0; r < rows; r++) {
      const from = r * vocab;
      const to = from + vocab;
      let max = -Infinity;
      for (let at = from; at < to; at++) {
        const x = logits[at] as number;
        if (x > max) max = x;
      }
      let sum = 0;
      for (let at = from; at < to; at++) {
        const e = Math.exp((logits[at] as number) - max);
        gradient[at] = e;
        sum += e;
      }
      const label = from + (ids[r] as number);
      logps[r] = (logits[label] as number) - max - Math.log(sum);
      const factor = -(g[r] as number) / sum;
      for (let at = from; at < to; at++) gradient[at] = (gradient[at] as number) * factor;
      gradient[label] = (gradient[label] as number) + (g[r] as number);
    }
  }

  const peer = {
    name: "plain JavaScript",
    forward() {
      forward();
      return { logps };
    },
    both() {
      both();
      return { logps, gradient };
    },
  };
  return { peers: [peer] };
}

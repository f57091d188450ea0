import type { LogitsInputs } from "../../inputs.ts";
import type { Opened } from "../../types.ts";
import { repeatable } from "../peer.ts";

/** Log-probs, and their gradient: its array keeps the exponentials, so that there is one per logit. */
export function logits({ pass, type, rows, vocab, logits, ids, g }: LogitsInputs): Opened | undefined {
  if (type !== "f32") return undefined;
  const logps = new Float32Array(rows);
  if (pass === "forward") {
    return repeatable(() => {
      for (let r = 0; r < rows; r++) {
        const row = logits.subarray(r * vocab, (r + 1) * vocab) as Float32Array;
        logps[r] = logpOf(row, ids[r] as number);
      }
      return { logps };
    });
  }
  const gradient = new Float32Array(rows * vocab);
  return repeatable(() => {
    for (let r = 0; r < rows; r++) {
      const [from, to] = [r * vocab, (r + 1) * vocab];
      const row = logits.subarray(from, to) as Float32Array;
      logps[r] = gradientOf(row, ids[r] as number, g[r] as number, gradient.subarray(from, to));
    }
    return { logps, gradient };
  });
}

/** Log-prob of one id. */
export function logpOf(logits: Float32Array, id: number): number {
  const max = maximum(logits);
  let sum = 0;
  for (let v = 0; v < logits.length; v++) sum += Math.exp((logits[v] as number) - max);
  return (logits[id] as number) - max - Math.log(sum);
}

/** The same, and g times its derivative for every logit. */
export function gradientOf(logits: Float32Array, id: number, g: number, into: Float32Array): number {
  const max = maximum(logits);
  const logit = logits[id] as number;
  let sum = 0;
  for (let v = 0; v < logits.length; v++) {
    const e = Math.exp((logits[v] as number) - max);
    into[v] = e;
    sum += e;
  }
  const factor = -g / sum;
  for (let v = 0; v < logits.length; v++) into[v] = (into[v] as number) * factor;
  into[id] = (into[id] as number) + g;
  return logit - max - Math.log(sum);
}

function maximum(numbers: Float32Array): number {
  let max = -Infinity;
  for (let i = 0; i < numbers.length; i++) {
    const x = numbers[i] as number;
    if (x > max) max = x;
  }
  return max;
}

import type { LinearInputs } from "../../inputs.ts";
import type { Opened } from "../../types.ts";
import { repeatable } from "../peer.ts";
import { gradientOf, logpOf } from "./logits.ts";

/** Multiply-adds of one product beyond which loops take longer than a benchmark has: at 0.7 a nanosecond, more than a second. */
const MOST = 1e9;

/** Logits of one row at a time, so that they stay in cache; in the backward pass, a row of the head once for both its products. */
export function linear({ pass, rows, width, vocab, hidden, weight, ids, g }: LinearInputs): Opened | undefined {
  if (rows * width * vocab > MOST) return undefined;
  const [logps, logits] = [new Float32Array(rows), new Float32Array(vocab)];
  const project = (r: number) => {
    for (let v = 0; v < vocab; v++) logits[v] = dot(hidden, r * width, weight, v * width, width);
  };
  if (pass === "forward") {
    return repeatable(() => {
      for (let r = 0; r < rows; r++) {
        project(r);
        logps[r] = logpOf(logits, ids[r] as number);
      }
      return { logps };
    });
  }
  const [gradHidden, gradWeight] = [new Float32Array(rows * width), new Float32Array(vocab * width)];
  return repeatable(() => {
    gradHidden.fill(0);
    gradWeight.fill(0);
    for (let r = 0; r < rows; r++) {
      project(r);
      logps[r] = gradientOf(logits, ids[r] as number, g[r] as number, logits);
      const of = r * width;
      for (let v = 0; v < vocab; v++) {
        const d = logits[v] as number;
        const at = v * width;
        for (let i = 0; i < width; i++) {
          gradHidden[of + i] = (gradHidden[of + i] as number) + d * (weight[at + i] as number);
          gradWeight[at + i] = (gradWeight[at + i] as number) + d * (hidden[of + i] as number);
        }
      }
    }
    return { logps, gradHidden, gradWeight };
  });
}

/** Four sums, so that one addition need not wait for the last. */
function dot(a: Float32Array, at: number, b: Float32Array, from: number, n: number): number {
  let [p, q, r, s] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    p += (a[at + i] as number) * (b[from + i] as number);
    q += (a[at + i + 1] as number) * (b[from + i + 1] as number);
    r += (a[at + i + 2] as number) * (b[from + i + 2] as number);
    s += (a[at + i + 3] as number) * (b[from + i + 3] as number);
  }
  for (; i < n; i++) p += (a[at + i] as number) * (b[from + i] as number);
  return p + q + r + s;
}

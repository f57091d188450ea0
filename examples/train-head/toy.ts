// A task made up in a second: a random head, hidden states near the token they are to predict, and completions that are
// preferred for holding more even tokens. The head can learn that, as one component of every state is 1.

import type { HeadTask } from "./task.ts";

const sizes = { vocab: 512, hiddenSize: 64, pairs: 640, trainPairs: 512, length: 32, prompt: 4 };

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function toyTask(seed = 7): HeadTask {
  const { vocab, hiddenSize, pairs, trainPairs, length, prompt } = sizes;
  const random = randomFrom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const weight = Float32Array.from({ length: vocab * hiddenSize }, () => 0.4 * normal());
  const hidden = new Float32Array(2 * pairs * length * hiddenSize);
  const inputIds = new Int32Array(2 * pairs * length);
  const completionMask = new Uint8Array(2 * pairs * length);
  for (let row = 0; row < 2 * pairs; row++) {
    const even = row < pairs ? 0.6 : 0.4;
    const end = prompt + 8 + Math.floor(random() * (length - prompt - 7));
    for (let t = 0; t < end; t++) {
      const at = row * length + t;
      const id = 2 * Math.floor((random() * vocab) / 2) + (random() < even ? 0 : 1);
      inputIds[at] = id;
      completionMask[at] = t < prompt ? 0 : 1;
      if (t === 0) continue;
      // The state before a token is near that token's row of the head.
      const from = (at - 1) * hiddenSize;
      for (let d = 0; d < hiddenSize; d++) hidden[from + d] = 0.5 * (weight[id * hiddenSize + d] ?? 0) + 0.5 * normal();
      hidden[from] = 1;
    }
  }
  const tokens = { pairs, length, inputIds, completionMask };
  return { name: "made-up pairs", vocab, hiddenSize, weight, pairs, trainPairs, tokens, hidden };
}

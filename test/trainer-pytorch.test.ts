// PyTorch's own figures for what lies between the steps: parts of a step, clipping, decay, a reference that moves (TR-DPO).
// test/golden/training-torch/make.py writes them, in float64.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { BackboneBatch, BackboneCall } from "../src/train.ts";
import { createTrainer } from "../src/train.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";

interface Golden {
  vocab: number;
  hidden_size: number;
  examples: { prompt: number[]; chosen: number[]; rejected: number[] }[];
  hidden: { chosen: number[]; rejected: number[] }[];
  start: { weight: number[]; bias: number[] };
  runs: {
    name: string;
    config: Record<string, number | boolean | string>;
    bias: boolean;
    steps: Record<string, number>[];
    final: { weight: number[]; bias?: number[] };
  }[];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("golden/training-torch/training.json", import.meta.url), "utf8"),
);
const { vocab, hidden_size: hiddenSize, examples, start } = golden;

/** The states of the file, row by row. */
function backbone({ rows, length }: BackboneBatch, { examples: places }: BackboneCall): Float32Array {
  const hidden = new Float32Array(rows * length * hiddenSize);
  for (let r = 0; r < rows; r++) {
    const states = golden.hidden[places[r % places.length] as number];
    hidden.set((r < places.length ? states?.chosen : states?.rejected) ?? [], r * length * hiddenSize);
  }
  return hidden;
}

describe("as PyTorch has it", () => {
  onEachBackend((backend) => {
    it.each(golden.runs.map((run) => [run.name, run] as const))("%s", async (_name, { config, bias, steps, final }) => {
      const head = {
        ...{ weight: Float32Array.from(start.weight), vocab, hiddenSize },
        bias: bias ? Float32Array.from(start.bias) : undefined,
      };
      const trainer = await createTrainer({ config, examples, backbone, head, backend, shuffle: false });
      const found: string[] = [];
      let taken = 0;
      for await (const { step, metrics } of trainer) {
        taken = step;
        const wants = Object.entries(steps[step - 1] ?? {});
        for (const [key, want] of wants)
          found.push(...missesNear(`step ${step} ${key}`, [metrics[key] as number], [want], 1e-4, 2e-6));
      }
      expect([taken, trainer.warnings]).toEqual([steps.length, []]);
      found.push(...missesNear("weight", head.weight, Float64Array.from(final.weight), 1e-4, 1e-5));
      if (head.bias) found.push(...missesNear("bias", head.bias, Float64Array.from(final.bias ?? []), 1e-4, 1e-5));
      await trainer.dispose();
      expect(found).toEqual([]);
    });
  });
});

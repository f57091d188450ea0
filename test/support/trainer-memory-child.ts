// A training of 2,000 steps with checkpoints and evaluations, run with --expose-gc: the bytes that are held after each 100.

import { createWasm } from "../../src/index.ts";
import { memoryStore, newTrainer, pairs } from "./trainer.ts";

const held = (): number => {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

const trainer = await newTrainer(
  { max_steps: 2000, eval_steps: 50, logging_steps: 20 },
  {
    backend: await createWasm({ relaxed: false }),
    evalExamples: pairs.slice(0, 6),
    checkpoint: { store: memoryStore(), everySteps: 25, keep: 2 },
  },
);
const figures: number[] = [];
for await (const { step } of trainer) if (step % 100 === 0) figures.push(held());
console.log(JSON.stringify(figures));

// A training on any number of workers, with memory shared or not: the bits of a training in this thread.

import { describe, expect, it } from "vitest";
import { breakEven } from "../../src/backends/pool/break-even.ts";
import { createWasm } from "../../src/index.ts";
import { createPool } from "../../src/pool.ts";
import { newHead, newTrainer, pairs, rows, take } from "../support/trainer.ts";

// Batches are small: the calling thread would compute them itself.
Object.assign(breakEven, { logits: 0, products: 0 });

const trainings = [
  ["pairs", { gradient_accumulation_steps: 2 }, {}],
  [
    "an adapter and an evaluation",
    { loss_type: "ipo" },
    { lora: { rank: 2, alpha: 4 }, evalExamples: pairs.slice(0, 5) },
  ],
  ["a reference in step with the policy", { sync_ref_model: true, ref_model_sync_steps: 2 }, {}],
  ["rows", { loss_type: "kto" }, { examples: rows }],
] as const;

describe.each([1, 2, 3, 8])("%d workers", (workers) => {
  it.each(trainings)("%s", async (_name, config, given) => {
    const run = async (backend: Awaited<ReturnType<typeof createPool>> | Awaited<ReturnType<typeof createWasm>>) => {
      const trainer = await newTrainer({ max_steps: 6, ...config }, { ...given, backend });
      const steps = await take(trainer);
      const files = await trainer.files();
      await trainer.dispose();
      await backend.dispose();
      return { steps, files };
    };
    const memory = workers === 2 ? "transfer" : "shared";
    const expected = await run(await createWasm({ relaxed: false }));
    expect(await run(await createPool({ workers, memory, relaxed: false }))).toEqual(expected);
  });
});

it("a head in shared memory is trained where it lies, and stays the caller's", async () => {
  const config = { max_steps: 4, weight_decay: 0.1 };
  const plain = newHead();
  const want = await take(await newTrainer(config, { head: plain, backend: await createWasm({ relaxed: false }) }));
  const pool = await createPool({ workers: 2, relaxed: false });
  const head = newHead();
  const weight = pool.allocate("f32", head.weight.length);
  weight.set(head.weight);
  const trainer = await newTrainer(config, { head: { ...head, weight }, backend: pool });
  expect(trainer.head.weight).toBe(weight);
  expect(await take(trainer)).toEqual(want);
  await trainer.dispose();
  expect(weight).toEqual(plain.weight);
  // Once: the trainer has not given it back.
  pool.free(weight);
  expect(() => pool.free(weight)).toThrow(/allocate/);
  await pool.dispose();
});

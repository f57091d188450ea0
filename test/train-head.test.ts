// The training loop of examples/train-head on its made-up task.

import { describe, expect, it } from "vitest";
import { chart } from "../examples/train-head/chart.ts";
import { evaluate, fullHead, type Head, loraHead, trainHead } from "../examples/train-head/step.ts";
import { randomFrom, toyTask } from "../examples/train-head/toy.ts";
import { createWasm, fromTrl } from "../src/index.ts";
import { missesNear } from "./support/compare.ts";

const task = toyTask();
const backend = await createWasm({ relaxed: false });

const config = { max_steps: 12, per_device_train_batch_size: 16, learning_rate: 1e-2 };

async function train(head: Head, more: Record<string, unknown>) {
  const { loss, train } = fromTrl({ ...config, ...more });
  const reports = [];
  for await (const report of trainHead(backend, task, { head, loss, train })) reports.push(report);
  return { reports, after: await evaluate(backend, task, head, loss) };
}

function newLora(): Head {
  const random = randomFrom(1);
  const a = Float32Array.from({ length: 4 * task.hiddenSize }, () => (random() - 0.5) / 4);
  return loraHead(task, a, 4, 8);
}

describe.each([
  ["full head", () => fullHead(task)],
  ["LoRA", newLora],
] as const)("%s", (_name, make) => {
  it.each(["adamw_torch", "sgd"])("learns what holds for pairs that it does not see: %s", async (optim) => {
    const learning_rate = optim === "sgd" ? 4 : 1e-2;
    const { after } = await train(make(), { optim, learning_rate, max_steps: 30 });
    expect(after.loss).toBeLessThan(0.69);
    expect(after.metrics["rewards/accuracies"]).toBeGreaterThan(0.6);
  });

  it("takes the same steps on batches in parts", async () => {
    const [whole, parts] = [make(), make()];
    const one = await train(whole, {});
    const two = await train(parts, { per_device_train_batch_size: 4, gradient_accumulation_steps: 4 });
    const series = (of: typeof one, key: "loss" | "gradNorm"): number[] => of.reports.map((report) => report[key]);
    for (const key of ["loss", "gradNorm"] as const) {
      expect(missesNear(key, series(two, key), series(one, key), 1e-5)).toEqual([]);
    }
  });
});

describe("settings", () => {
  it("epochs where no steps are given", async () => {
    const { reports } = await train(fullHead(task), { max_steps: -1, num_train_epochs: 0.5 });
    expect(reports.length).toBe((0.5 * task.trainPairs) / 16);
  });

  it("clipping is at 1, and off at 0", async () => {
    const steps = { optim: "sgd", learning_rate: 1, max_steps: 1, lr_scheduler_type: "constant", beta: 20 };
    const changeOf = async (more: object): Promise<number> => {
      const head = fullHead(task);
      await train(head, { ...steps, ...more });
      return Math.hypot(...head.inputs.weight.map((x, i) => x - (task.weight[i] ?? 0)));
    };
    expect(await changeOf({})).toBeCloseTo(1, 4);
    expect(await changeOf({ max_grad_norm: 0 })).toBeGreaterThan(2);
  });

  it("an optimiser that is not there is said so", async () => {
    await expect(train(fullHead(task), { optim: "adafactor" })).rejects.toThrow(
      /^optim: expected adamw_torch or sgd, got/,
    );
  });
});

it("a chart has the curve's ends in its title and its extremes beside it", () => {
  const lines = chart("loss", [3, 2, 1], 4, 2).split("\n");
  expect(lines[0]).toBe("loss: 3.000 → 1.000");
  expect(lines[1]).toMatch(/^ {3}3\.000 │[⠀-⣿]{4}$/);
  expect(lines[2]).toMatch(/^ {3}1\.000 │[⠀-⣿]{4}$/);
});

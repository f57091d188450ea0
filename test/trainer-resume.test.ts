// A training that is stopped at any step and goes on from its checkpoint: the same bits as one that nobody stopped.

import { describe, expect, it } from "vitest";
import { createWasm, ParamError } from "../src/index.ts";
import type { Store, TrainerOptions } from "../src/train.ts";
import { memoryStore, newTrainer, take } from "./support/trainer.ts";
import { trainings } from "./support/trainings.ts";

const backend = await createWasm({ relaxed: false });

const STEPS = 14;

describe.each(trainings)("%s", (_name, config, given) => {
  const make = (more: Partial<TrainerOptions>) =>
    newTrainer({ max_steps: STEPS, ...config }, { backend, ...given(), ...more });

  it("goes on from any step with the same bits", async () => {
    const whole = await make({});
    const expected = await take(whole);
    expect(expected.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    const end = await whole.files();
    for (let at = 1; at < STEPS; at += 3) {
      const store = memoryStore();
      const first = await make({ checkpoint: { store, everySteps: 1 } });
      const before = await take(first, at);
      const second = await make({ checkpoint: { store, everySteps: 1 }, resume: true });
      expect([second.step, second.warnings]).toEqual([at, first.warnings]);
      const after = await take(second);
      expect([...before, ...after]).toEqual(expected);
      expect(await second.files()).toEqual(end);
    }
  });
});

describe("what is asked of it", () => {
  it("a checkpoint now and then, and one at the end; the newest stay", async () => {
    const store = memoryStore();
    await take(await newTrainer({ max_steps: 7, save_steps: 2 }, { backend, checkpoint: { store } }));
    const names = [6, 7].flatMap((step) => [`checkpoint-${step}.json`, `checkpoint-${step}.safetensors`]);
    expect([...store.files.keys()].sort()).toEqual(names);
  });

  it("save_steps 0: the last one alone", async () => {
    const store = memoryStore();
    await take(await newTrainer({ max_steps: 3, save_steps: 0 }, { backend, checkpoint: { store } }));
    expect([...store.files.keys()].sort()).toEqual(["checkpoint-3.json", "checkpoint-3.safetensors"]);
  });

  it("a finished training has no steps left", async () => {
    const store = memoryStore();
    const first = await newTrainer({ max_steps: 3 }, { backend, checkpoint: { store } });
    await take(first);
    const again = await newTrainer({ max_steps: 3 }, { backend, checkpoint: { store }, resume: true });
    expect([again.step, await take(again)]).toEqual([3, []]);
    expect(await again.files()).toEqual(await first.files());
  });

  it("to pause is to stop iterating", async () => {
    const whole = await newTrainer({ max_steps: 5 }, { backend });
    const expected = await take(whole);
    const paused = await newTrainer({ max_steps: 5 }, { backend });
    expect([...(await take(paused, 2)), ...(await take(paused))]).toEqual(expected);
  });
});

describe("without resume, where the store holds checkpoints", () => {
  const begun = async () => {
    const store = memoryStore();
    await take(await newTrainer({ max_steps: 6 }, { backend, checkpoint: { store, everySteps: 1, keep: 4 } }));
    return store;
  };
  const anew = (store: Store, config: object = {}, more: object = {}, overwrite?: boolean) =>
    newTrainer(
      { max_steps: 4, ...config },
      { backend, checkpoint: { store, everySteps: 1, keep: 3, overwrite }, ...more },
    );

  it.each([
    ["of this training", {}, {}],
    ["of another one", { seed: 1 }, {}],
    ["and it is said to be none", {}, { resume: false }],
  ])("is refused, and nothing of it is touched: %s", async (_name, config, more) => {
    const store = await begun();
    const before = new Map(store.files);
    const message =
      "checkpoint.store: expected a store without checkpoints, got one with checkpoint-6, checkpoint-5, checkpoint-4, … (4); " +
      "resume: true goes on from there, checkpoint.overwrite: true begins anew and removes them with its first checkpoint";
    for (const refused of [anew(store, config, more), anew(store, config, more, false)]) {
      await expect(refused).rejects.toThrow(new ParamError("out-of-range", message));
    }
    expect(store.files).toEqual(before);
  });

  it("is refused for what is left of a damaged one too", async () => {
    const store = memoryStore();
    store.files.set("checkpoint-3.safetensors", new Uint8Array(9));
    await expect(anew(store)).rejects.toThrow(/^checkpoint\.store: .* got one with checkpoint-3; resume: true/);
  });

  it("begins anew where that is asked for: the first checkpoint takes the place of all before", async () => {
    const store = await begun();
    const fresh = await anew(store, {}, {}, true);
    expect([fresh.step, fresh.warnings]).toEqual([0, []]);
    expect(store.files.size).toBe(8);
    await take(fresh, 1);
    expect([...store.files.keys()].sort()).toEqual(["checkpoint-1.json", "checkpoint-1.safetensors"]);
    await take(fresh);
    const names = [2, 3, 4].flatMap((step) => [`checkpoint-${step}.json`, `checkpoint-${step}.safetensors`]);
    expect([...store.files.keys()].sort()).toEqual(names);
  });

  it("resume prevails over overwrite", async () => {
    expect((await anew(await begun(), { max_steps: 6 }, { resume: true }, true)).step).toBe(6);
  });

  it("other files of the store are nobody's checkpoints", async () => {
    const store = memoryStore();
    store.files.set("notes.txt", new Uint8Array(1)).set("checkpoint-x.json", new Uint8Array(1));
    await take(await anew(store));
    expect(store.files.has("notes.txt")).toBe(true);
  });
});

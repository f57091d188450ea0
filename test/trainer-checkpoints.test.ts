// Checkpoints that are damaged, of another training, or cannot be written; and a process that is killed.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createWasm } from "../src/index.ts";
import { digest, digestOfText } from "../src/train/trainer/digest.ts";
import { randomOf } from "../src/train/trainer/order.ts";
import type { Store, TrainExample } from "../src/train.ts";
import { type Given, memoryStore, newHead, newTrainer, pairs, rows, take } from "./support/trainer.ts";

const backend = await createWasm({ relaxed: false });
const config = { max_steps: 8 };
const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-checkpoints-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The files after six steps, the checkpoints of steps 4, 5 and 6. */
async function filesOfSix(): Promise<Map<string, Uint8Array>> {
  const store = memoryStore();
  await take(await newTrainer(config, { backend, checkpoint: { store, everySteps: 1, keep: 3 } }), 6);
  return store.files;
}
const six = await filesOfSix();

async function resume(spoil: (files: Map<string, Uint8Array>) => unknown) {
  const store = memoryStore();
  for (const [name, bytes] of six) store.files.set(name, bytes.slice());
  await spoil(store.files);
  return newTrainer(config, { backend, checkpoint: { store }, resume: true });
}

/** A manifest with other fields under a hash that fits. */
async function forge(files: Map<string, Uint8Array>, fields: Record<string, unknown>): Promise<void> {
  const [, text = ""] = new TextDecoder().decode(files.get("checkpoint-6.json")).split("\n");
  const own = JSON.stringify({ ...JSON.parse(text), ...fields });
  const lines = `${JSON.stringify(await digestOfText(own))}\n${own}\n`;
  files.set("checkpoint-6.json", new TextEncoder().encode(lines));
}

type Spoil = (files: Map<string, Uint8Array>) => unknown;

const cut =
  (name: string, by: number): Spoil =>
  (files) => {
    files.set(name, (files.get(name) as Uint8Array).slice(0, -by));
  };

const flip =
  (name: string, at: number): Spoil =>
  (files) => {
    const bytes = files.get(name) as Uint8Array;
    bytes[at] = (bytes[at] as number) ^ 1;
  };

const damages: readonly (readonly [string, Spoil, RegExp])[] = [
  ["tensors cut short", cut("checkpoint-6.safetensors", 1), /checkpoint-6\.safetensors: expected SHA-256 \w{64}, got/],
  [
    "a flipped bit among the tensors",
    flip("checkpoint-6.safetensors", 900),
    /checkpoint-6\.safetensors: expected SHA-256/,
  ],
  ["a flipped bit in the manifest", flip("checkpoint-6.json", 200), /checkpoint-6\.json: expected its SHA-256/],
  ["a manifest cut short", cut("checkpoint-6.json", 40), /checkpoint-6\.json: expected its SHA-256/],
  [
    "an empty manifest",
    (files) => files.set("checkpoint-6.json", new Uint8Array()),
    /checkpoint-6\.json: expected its SHA-256/,
  ],
  ["no manifest", (files) => files.delete("checkpoint-6.json"), /checkpoint-6\.json: expected a file, got none/],
  [
    "no tensors",
    (files) => files.delete("checkpoint-6.safetensors"),
    /checkpoint-6\.safetensors: expected a file, got none/,
  ],
  [
    "the tensors of another step",
    (files) => files.set("checkpoint-6.safetensors", files.get("checkpoint-5.safetensors") as Uint8Array),
    /checkpoint-6\.safetensors: expected SHA-256/,
  ],
  [
    "the manifest of another step",
    (files) => files.set("checkpoint-6.json", files.get("checkpoint-5.json") as Uint8Array),
    /checkpoint-6\.json: expected step 6, got 5/,
  ],
  [
    "a forged manifest that is none",
    (files) => forge(files, { log: { values: { loss: "x" }, weights: {} } }),
    /checkpoint-6\.json: log: expected that of a checkpoint/,
  ],
  [
    "a name without end",
    (files) => files.set(`checkpoint-${"9".repeat(15)}.json`, new Uint8Array(3)),
    /checkpoint-9{15}: damaged/,
  ],
];

describe("damaged checkpoints are named and the one before is taken", () => {
  it.each(damages)("%s", async (name, spoil, warning) => {
    const trainer = await resume(spoil);
    expect(trainer.step).toBe(name.startsWith("a name") ? 6 : 5);
    expect(trainer.warnings).toHaveLength(1);
    expect(trainer.warnings[0]).toMatch(warning);
    expect(trainer.warnings[0]).toMatch(/^checkpoint-\d+: damaged, passed over: /);
  });

  it("all of them: the training begins anew", async () => {
    const trainer = await resume((files) => {
      for (const name of files.keys()) cut(name, 3)(files);
    });
    expect([trainer.step, trainer.warnings.length]).toEqual([0, 3]);
  });

  it("fuzzed bytes never come through", async () => {
    const random = randomOf(11, 0);
    for (let i = 0; i < 60; i++) {
      const trainer = await resume((files) => {
        const name = random() < 0.5 ? "checkpoint-6.json" : "checkpoint-6.safetensors";
        const bytes = files.get(name) as Uint8Array;
        const at = Math.floor(random() * bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 + Math.floor(random() * 255));
      });
      expect([trainer.step, trainer.warnings.length]).toEqual([5, 1]);
    }
  });
});

it("a training whose loss is no number any more, or without end, has whole checkpoints too", async () => {
  const store = memoryStore();
  const weight = newHead().weight.fill(Number.NaN, 0, 1);
  const head = () => ({ ...newHead(), weight: weight.slice() });
  const broken = { ...config, logging_steps: 8, loss_type: "bco_pair" };
  const make = (more: object) =>
    newTrainer(broken, { backend, version: "0.24.0", head: head(), checkpoint: { store, everySteps: 2 }, ...more });
  const whole = await take(await make({ checkpoint: undefined }));
  expect(whole.at(-1)?.log?.["loss"]).toBeNaN();
  await take(await make({}), 4);
  const again = await make({ resume: true });
  expect([again.step, again.warnings.filter((text) => text.startsWith("checkpoint-"))]).toEqual([4, []]);
  expect(await take(again)).toEqual(whole.slice(4));
});

describe("a whole checkpoint of another training is refused", () => {
  const store = memoryStore();
  for (const [name, bytes] of six) store.files.set(name, bytes);
  const other = (more: object, settings = {}) =>
    newTrainer({ ...config, ...settings }, { backend, checkpoint: { store }, resume: true, ...more });

  it.each([
    [
      "another model",
      () => other({ head: { ...newHead(), weight: newHead().weight.fill(1) } }),
      /the head and reference at the start differ/,
    ],
    ["an adapter", () => other({ lora: { rank: 2, alpha: 2 } }), /the head and reference at the start differ/],
    ["other examples", () => other({ examples: pairs.slice(1) }), /the examples differ/],
    [
      "another batch size",
      () => other({}, { per_device_train_batch_size: 2 }),
      /batch size, accumulation, seed and shuffle differ/,
    ],
    ["another seed", () => other({}, { seed: 1 }), /batch size, accumulation, seed and shuffle differ/],
  ])("%s", async (_name, open, message) => {
    await expect(open()).rejects.toThrow(message);
    await expect(open()).rejects.toThrow(/^checkpoint-6: expected a checkpoint of this training/);
  });

  const loss = (lossType: string) => ({ loss_type: lossType });
  const scored = pairs.map((pair) => ({ ...pair, refChosenLogps: -3, refRejectedLogps: -5 }));
  const withMargins = pairs.map((pair) => ({ ...pair, rewardMargin: 1 }));
  const others: readonly (readonly [string, object, Given, TrainExample[]])[] = [
    ["labels", loss("kto"), { examples: rows }, rows.map((row, i) => ({ ...row, label: i > 2 }))],
    [
      "log-probs under the reference",
      {},
      { examples: scored, reference: "precomputed" },
      scored.map((pair) => ({ ...pair, refChosenLogps: -4 })),
    ],
    [
      "margins of rewards",
      loss("rpo_sq"),
      { examples: withMargins },
      withMargins.map((pair) => ({ ...pair, rewardMargin: 2 })),
    ],
  ];
  it.each(others)("the same tokens with other %s", async (_name, settings, given, examples) => {
    const store = memoryStore();
    const make = (more: Given) =>
      newTrainer({ ...config, ...settings }, { backend, checkpoint: { store }, ...given, ...more });
    await (await make({})).checkpoint();
    expect((await make({ resume: true })).step).toBe(0);
    await expect(make({ examples, resume: true })).rejects.toThrow(/: the examples differ$/);
  });

  it("a forged one whose tensors do not fit", async () => {
    const spoilt = resume(async (files) => {
      const bytes = files.get("checkpoint-6.safetensors") as Uint8Array;
      const text = new TextDecoder("latin1")
        .decode(bytes)
        .replace('"bias"', '"xxxx"')
        .replaceAll('"weight.m"', '"weight.x"');
      const changed = Uint8Array.from(text, (character) => character.charCodeAt(0));
      files.set("checkpoint-6.safetensors", changed);
      await forge(files, { tensors: await digest(changed) });
    });
    await expect(spoilt).rejects.toThrow(/checkpoint-6\.safetensors: weight\.m: expected F32 \[40, 6\], got none/);
  });

  it("another learning rate counts from here on, and a warning says so", async () => {
    const trainer = await other({}, { learning_rate: 1e-3 });
    expect(trainer.step).toBe(6);
    expect(trainer.warnings).toEqual(["learning_rate: 0.01 in the checkpoint, 0.001 now, which counts from here on"]);
  });
});

describe("a store that fails", () => {
  it("a full disk loses nothing: the checkpoint before stays, a warning says so, and the training goes on", async () => {
    const store = memoryStore();
    let room = true;
    const write = async (name: string, bytes: Uint8Array): Promise<void> => {
      if (!room) throw new Error("ENOSPC: no space left on device");
      await store.write(name, bytes);
    };
    const trainer = await newTrainer(config, { backend, checkpoint: { store: { ...store, write }, everySteps: 1 } });
    await take(trainer, 3);
    room = false;
    const steps = await take(trainer, 2);
    expect(steps.map(({ step }) => step)).toEqual([4, 5]);
    expect(trainer.warnings).toEqual(
      [4, 5].map((step) => `checkpoint-${step}: not written: ENOSPC: no space left on device`),
    );
    await expect(trainer.checkpoint()).rejects.toThrow(/ENOSPC/);
    expect((await newTrainer(config, { backend, checkpoint: { store }, resume: true })).step).toBe(3);
    room = true;
    await take(trainer, 1);
    expect((await newTrainer(config, { backend, checkpoint: { store }, resume: true })).step).toBe(6);
  });
});

describe("a store that fails now and then", () => {
  const withSix = () => {
    const store = memoryStore();
    for (const [name, bytes] of six) store.files.set(name, bytes);
    return store;
  };
  const resumed = (store: Store, more: object = {}) =>
    newTrainer(config, { backend, checkpoint: { store, everySteps: 1, keep: 2 }, resume: true, ...more });

  it("in reading the newest: the one before is taken", async () => {
    const store = withSix();
    const read = async (name: string) => {
      if (name.startsWith("checkpoint-6")) throw new Error("EIO: i/o error");
      return store.read(name);
    };
    const trainer = await resumed({ ...store, read });
    expect([trainer.step, trainer.warnings]).toEqual([5, ["checkpoint-6: not read, passed over: EIO: i/o error"]]);
  });

  it("in reading all: nothing begins anew over them", async () => {
    const store = withSix();
    const read = () => Promise.reject(new Error("503 Slow Down"));
    await expect(resumed({ ...store, read })).rejects.toThrow(/^503 Slow Down$/);
    expect(store.files).toEqual(six);
  });

  it("in removing: what is written stays, and the next one removes what is too old", async () => {
    const store = withSix();
    let fails = true;
    const remove = async (name: string) => {
      if (fails) throw new Error("EBUSY: resource busy");
      await store.remove(name);
    };
    const trainer = await resumed({ ...store, remove });
    await take(trainer, 1);
    expect(trainer.warnings).toEqual(["checkpoint-7: written, but older ones are still there: EBUSY: resource busy"]);
    fails = false;
    await take(trainer, 1);
    const names = [7, 8].flatMap((step) => [`checkpoint-${step}.json`, `checkpoint-${step}.safetensors`]);
    expect([...store.files.keys()].sort()).toEqual(names);
  });

  it("in keeping hidden states: they are computed anew, to the same bits", async () => {
    const kept = memoryStore();
    const settings = { ...config, max_steps: 14 };
    const whole = await take(await newTrainer(settings, { backend, cache: { maxBytes: 0, store: memoryStore() } }));
    let room = 9;
    const cached = {
      ...kept,
      write: async (name: string, bytes: Uint8Array) => {
        if (room-- <= 0) throw new Error("ENOSPC: no space left on device");
        await kept.write(name, bytes);
      },
      read: async (name: string) => {
        if (name.endsWith("3.safetensors")) throw new Error("EIO: i/o error");
        return kept.read(name);
      },
    };
    const trainer = await newTrainer(settings, { backend, cache: { maxBytes: 0, store: cached } });
    expect(await take(trainer)).toEqual(whole);
    expect(trainer.warnings).toEqual([
      "cache.store: not written, what it lacks is computed anew in each epoch: ENOSPC: no space left on device",
    ]);
  });
});

const child = fileURLToPath(new URL("support/trainer-child.ts", import.meta.url));

/** A training in a process of its own, which is killed once it has told of so many steps; what it told. */
async function run(store: string, steps: number, killAt: number): Promise<string[]> {
  const process_ = spawn(process.execPath, [child, store, String(steps)], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  let rest = "";
  process_.stdout.on("data", (data: Buffer) => {
    const parts = (rest + data.toString()).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    if (lines.length >= killAt) process_.kill("SIGKILL");
  });
  await new Promise((resolve) => process_.on("close", resolve));
  return lines;
}

describe("a folder", () => {
  it("a process killed at 20 random steps goes on with the same bits each time", async () => {
    // So many that none of the runs that are killed comes to its end.
    const steps = 160;
    const whole = await run(join(folder, "whole"), steps, Infinity);
    const random = randomOf(3, 0);
    const store = join(folder, "killed");
    const told = new Map<number, string>();
    for (let kills = 0; kills < 20; kills++) {
      for (const line of await run(store, steps, 1 + Math.floor(random() * 5))) {
        const [step = ""] = line.split(" ");
        // On a busy machine all of it may be told at once, before the process is killed.
        if (step !== "end") told.set(Number(step), line);
      }
    }
    // A step may have been killed before it was told; what was told is as it was.
    expect(told.size).toBeGreaterThanOrEqual(20);
    for (const [step, line] of told) expect(line).toBe(whole[step - 1]);
    const last = await run(store, steps, Infinity);
    expect(last.at(-1)).toBe(whole.at(-1));
  }, 300_000);

  it("files that were cut short on disk are passed over, and none is left half written", async () => {
    const store = join(folder, "cut");
    await take(await newTrainer(config, { backend, checkpoint: { store, everySteps: 1, keep: 3 } }), 6);
    truncateSync(join(store, "checkpoint-6.safetensors"), 100);
    writeFileSync(join(store, "checkpoint-7.json.part"), "half");
    const trainer = await newTrainer(config, { backend, checkpoint: { store }, resume: true });
    expect([trainer.step, trainer.warnings.length]).toEqual([5, 1]);
    await take(trainer);
    expect(readdirSync(store).filter((name) => /part$/.test(name))).toEqual(["checkpoint-7.json.part"]);
    const names = await trainer.save(join(folder, "out"));
    expect(names).toEqual(["model.safetensors", "training_config.json"]);
    expect(JSON.parse(readFileSync(join(folder, "out/training_config.json"), "utf8")).max_steps).toBe(8);
  });
});

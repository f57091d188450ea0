// PEFT itself loads what `writeAdapter` wrote, and computes with it what it computed before it saved those adapters.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readAdapter } from "../../src/train/peft/read.ts";
import { writeAdapter } from "../../src/train/peft/write.ts";
import { missesNear } from "../support/compare.ts";
import { noPeft, pythonWithPeft } from "../support/python.ts";
import { whereThereIs } from "../support/where-there-is.ts";

const golden = "test/golden/peft";
const { ids, logits } = JSON.parse(readFileSync(`${golden}/expected.json`, "utf8"));

whereThereIs("Python with PEFT", noPeft, () => {
  const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-peft-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  function rewritten(name: string): string {
    const [model, config] = ["adapter_model.safetensors", "adapter_config.json"].map((file) =>
      readFileSync(`${golden}/${name}/${file}`),
    );
    const place = join(folder, name);
    mkdirSync(place);
    const files = { "adapter_model.safetensors": model as Uint8Array, "adapter_config.json": config as Uint8Array };
    for (const [file, content] of Object.entries(writeAdapter(readAdapter(files)))) {
      writeFileSync(join(place, file), content);
    }
    return place;
  }

  // Nearly all of it is PyTorch and transformers being imported.
  test("loads what is written", { timeout: 300_000 }, () => {
    const names = ["plain", "rslora"];
    const args = [`${golden}/load.py`, `${golden}/base`, ids.join(), ...names.map(rewritten)];
    const { stdout, stderr } = spawnSync(pythonWithPeft, args, { encoding: "utf8" });
    expect(stdout, stderr).toMatch(/^\[\[/);
    for (const [i, name] of names.entries()) {
      expect(missesNear(name, JSON.parse(stdout)[i], logits[name], 1e-5)).toEqual([]);
    }
  });
});

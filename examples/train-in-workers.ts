// A training as the command line has it, on a file of hidden states: the last part of `npm start`. A head learns kind words, in
// workers; the curves go to a page.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collate } from "dpo-kernels";
import { writeSafetensors } from "dpo-kernels/train";
import { examplesOf, makeModel } from "./train-in-tab/data.js";

/** The file that `dpo-kernels train --hidden` reads: docs/command-line.md has its tensors. */
export function hiddenFile(pairs: number, trainPairs: number): Uint8Array {
  const { head, backbone } = makeModel();
  const { weight, vocab, hiddenSize } = head;
  const { length, inputIds, completionMask, attentionMask } = collate(examplesOf("kind", pairs));
  const rows = 2 * pairs;
  const hidden = backbone({ rows, length, inputIds });
  return writeSafetensors(
    {
      hidden: { shape: [rows, length, hiddenSize], data: hidden },
      weight: { shape: [vocab, hiddenSize], data: weight },
      input_ids: { shape: [rows, length], data: inputIds },
      completion_mask: { shape: [rows, length], data: completionMask },
      attention_mask: { shape: [rows, length], data: attentionMask },
    },
    { train_pairs: String(trainPairs) },
  );
}

function main(): void {
  const folder = fileURLToPath(new URL("../build/start/", import.meta.url));
  // Begun anew each time: a finished training would not train.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const states = join(folder, "states.safetensors");
  writeFileSync(states, hiddenFile(2048, 1920));
  console.log("\nA head learns to prefer kind words: 1,920 made-up pairs, DPO, two workers.\n");
  const program = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
  const files = ["--hidden", states, "--out", join(folder, "run"), "--report", join(folder, "report.html")];
  const batches = ["--max-steps", "200", "--per-device-train-batch-size", "64", "--learning-rate", "3e-3"];
  const rest = ["--eval-strategy", "steps", "--eval-steps", "50", "--workers", "2"];
  const { status } = spawnSync(process.execPath, [program, "train", ...files, ...batches, ...rest], {
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();

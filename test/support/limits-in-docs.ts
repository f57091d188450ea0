// Numbers with units that pages state and that no benchmark has measured: what holds each of them.

import { readFileSync } from "node:fs";

const { millisecondsOfShard } = JSON.parse(readFileSync("bench/results/score-queue-node26.json", "utf8"));
const ofShard: Readonly<Record<string, number>> = millisecondsOfShard["256 pairs"];
/** Pairs a second of what takes so many milliseconds for a shard of 256. */
const rateOf = (who: string): number => 256e3 / (ofShard[who] ?? Number.NaN);

/** What a page says, and where the number comes from: a file and what stands in it. */
export type Limit = readonly [said: string, file: string, source: string];

export const limits: Readonly<Record<string, readonly Limit[]>> = {
  "README.md": [
    ["more than 64 MB of logits never exist", "src/cpu/head-shards.ts", "KEPT_BYTES = 64 << 20"],
    ["64 MiB or nothing", "src/cpu/head-shards.ts", "KEPT_BYTES = 64 << 20"],
  ],
  "docs/benchmarks.md": [
    ["a change of 15 %", "src/bench/compare.ts", "Math.log(1.15)"],
    ["With 99 % no figure", "src/bench/compare.ts", "confidence = 0.99"],
    ["9 s with `--quick`", "src/bench/budget.ts", "quick: 9000"],
    ["100 s without", "src/bench/budget.ts", "whole: 100_000"],
    ["longer than 95 s, or 960 s", "src/cli/bench/runtimes.ts", "quick: 95_000, whole: 960_000"],
    ["(30 s with `--quick`)", "src/cli/bench/runtimes.ts", "quick ? 30_000"],
  ],
  "docs/command-line.md": [
    ["A line may be 64 MiB long", "src/cli/lines.ts", "longestLine = 2 ** 26"],
    ["a JSON array 256 MiB", "src/cli/json-rows.ts", "longestText = 2 ** 28"],
    ["more than 32 KiB", "src/cli/yaml.ts", "longest = 2 ** 15"],
  ],
  "docs/controlled-sentiment.md": [
    ["87 s of processor time", "examples/controlled-sentiment/results.json", '"seconds":87,'],
  ],
  "docs/edge.md": [["at most 41.25 KB gzip", "test/runtimes/workerd.test.ts", '["its script", /\\.js$/, {}, 41.25]']],
  "docs/from-trl.md": [["1 to 1.33 times that", "src/from-trl/other-trainers.ts", "ratio <= 1.33"]],
  "docs/logps.md": [["Up to 64 MiB of them", "src/cpu/head-shards.ts", "KEPT_BYTES = 64 << 20"]],
  "docs/performance.md": [
    ["more than 64 MB of logits", "src/cpu/head-shards.ts", "KEPT_BYTES = 64 << 20"],
    ["with 99 % none at all", "src/bench/compare.ts", "confidence = 0.99"],
  ],
  "docs/pool.md": [
    ["slices of 4 MB", "src/backends/pool/break-even.ts", "COPIED_LOGITS = 1 << 20"],
    ["128 MB of them", "src/backends/pool/break-even.ts", "KEPT_BYTES = 1 << 27"],
    ["yields every 4 ms", "src/backends/pool/worker-pool.ts", "MOST_BUSY = 4"],
    ["after 2 s and given 2 s", "src/backends/pool/start-worker.ts", "GRACE = 2000"],
  ],
  "docs/train.md": [
    ["kept in memory (256 MiB)", "src/train/trainer/trainer.ts", "256 << 20"],
    ["64 MiB at a time", "src/train/trainer/gpu-place.ts", "PART = 1 << 26"],
    ["a staging area of 256 KB", "src/train/kernels.ts", "PIECE = 16384"],
  ],
  "docs/webgpu.md": [
    ["128 MiB at a time", "src/backends/webgpu/commands.ts", "PARTS_BYTES = 1 << 27"],
    ["64 MiB of them at a time", "src/backends/webgpu/head.ts", "LOGITS_BYTES = 1 << 26"],
  ],
};

/** Sizes and times that follow from numbers beside them: what is said, and what it comes to. */
export const sums: Readonly<Record<string, readonly (readonly [said: string, value: number])[]>> = {
  "docs/explained.md": [["101 MB", (4 * 512 * 49_152) / 1e6]],
  // 10⁸ pairs; a shard's file has 110 bytes a pair.
  "docs/scale.md": [
    ["200 GB", (1e8 * 2e3) / 1e9],
    ["28 KB", (256 * 110) / 1e3],
    ["450 KB", (4096 * 110) / 1e3],
    ["13 s", 256 / 20],
    ["3.4 min", 4096 / 20 / 60],
    ["28 MB", (1000 * 256 * 110) / 1e6],
    ["450 MB", (1000 * 4096 * 110) / 1e6],
    ["33 min", (1e8 / 256) * (5e-3 / 60)],
    ["2 min", (1e8 / 4096) * (5e-3 / 60)],
    ["1,390 hours", 1e8 / 3600 / 20],
    ["14 h", 1e8 / 3600 / 20 / 100],
    ["99 hours", 1e8 / 3600 / 280],
    ["85 min", (5.1 * 1000) / 60],
    ["31,000 pairs a second", rateOf("planner")],
    ["68,000 pairs a second", rateOf("redis")],
  ],
  "docs/train.md": [["315 MB", (4 * 8 * 2 * 100 * 49_152) / 1e6]],
};

/** What others define, or their files weigh. */
export const ofOthers: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "docs/benchmarks.md": {
    "steps of 1 ms on your own machine": "workerd's clock",
    "steps of 0.1 ms (Chromium) or 1 ms (Firefox, WebKit)": "the clocks of pages that are not isolated",
  },
  "docs/scale.md": {
    "at 2 KB a pair": "an assumption",
    "at 20 pairs a second": "an assumption",
    "tasks in Redis, 128 at most | 0.3 MB | 0.3 MB": "128 times the names of a shard's files and its options",
    "at 5 ms each": "an assumption",
    "at 100 MB/s": "an assumption",
  },
  "docs/webgpu.md": {
    "256 lanes, 6 KiB": "workgroup memory, as the shaders declare it",
    "64 lanes, 2.5 KiB": "workgroup memory, as the shaders declare it",
    "256 lanes, 8 KiB": "workgroup memory, as the shaders declare it",
    "its 64 KiB in the cache": "16,384 logits",
    "no kernel takes more than 8 KiB": "workgroup memory, as the shaders declare it",
    "GPU with 32 KiB": "an example of a GPU",
    "every 100 ms": "Firefox's timer",
    "every 4 ms": "the least that engines wait in a nested timer",
  },
  "examples/real-model/README.md": {
    "`stories260K.bin`, 1 MB": "a file to download, whose hash stands beside it",
    "`tok512.bin`, 6 KB": "the same",
    "`harmless-base/test.jsonl.gz`, 0.7 MB": "the same",
  },
  "examples/train-head/README.md": { "(11 MB, sha256": "a file to download, whose hash stands beside it" },
};

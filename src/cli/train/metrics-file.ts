// The metrics of a training as JSON lines: one a step, under TRL's keys. A run that is resumed goes on behind its checkpoint.

import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainStep } from "../../train.ts";
import { guardedBy, writeWhole } from "../job-folder.ts";
import { parseJson } from "../json.ts";
import { isSystemError } from "../refusal.ts";
import { toJson } from "../report.ts";

export const metricsFile = "metrics.jsonl";

/** A line: its step, and what was measured then. */
export type Logged = Readonly<Record<string, number>>;

export interface MetricsFile {
  add(step: TrainStep): Promise<void>;
}

/** Opens the file of a folder, without the lines of steps that are to be taken again. */
export async function openMetrics(folder: string, stepsTaken: number): Promise<MetricsFile> {
  const guarded = guardedBy(join(folder, metricsFile));
  const kept = (await readMetrics(folder)).filter(({ step = 0 }) => step <= stepsTaken);
  await guarded(() => writeWhole(folder, metricsFile, kept.map((line) => `${toJson(line)}\n`).join("")));
  return {
    add: ({ step, metrics }) =>
      guarded(() => appendFile(join(folder, metricsFile), `${toJson({ step, ...metrics })}\n`)),
  };
}

/** All lines of a folder; the last one may be half of one, where a run was killed while it wrote. */
export async function readMetrics(folder: string): Promise<Logged[]> {
  const text = await readFile(join(folder, metricsFile), "utf8").catch((error: unknown) => {
    if (isSystemError(error) && error.code === "ENOENT") return "";
    throw error;
  });
  return text.split("\n").flatMap((line) => {
    const parsed = line.trim() === "" ? { problem: "" } : parseJson(line);
    if (!("value" in parsed) || typeof parsed.value !== "object") return [];
    // Numbers that JSON has no sign for are text.
    const entries = Object.entries(parsed.value as Record<string, unknown>).map(([key, value]) => [key, Number(value)]);
    return [Object.fromEntries(entries) as Logged];
  });
}

// A training as a job: it goes on from its last checkpoint, shows how far it is, and stops when it is asked to.

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { printable } from "../../checks/printable.ts";
import { DpoError } from "../../errors.ts";
import type { TrlConfig } from "../../from-trl/from-trl.ts";
import { createTrainer, type Trainer, type TrainStep } from "../../train.ts";
import type { AsyncBackend, Backend } from "../../types.ts";
import type { Fingerprint } from "../fingerprint.ts";
import { beginFolder, guardedBy, isBegun, writeWhole } from "../job-folder.ts";
import { startBar } from "../rate-bar.ts";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import { toJson } from "../report.ts";
import type { Settings } from "./config.ts";
import { openMetrics, readMetrics } from "./metrics-file.ts";
import { lastOf, type TrainReport } from "./report.ts";
import { whenAsked } from "./stop.ts";
import type { Task } from "./task.ts";

export interface TrainJob {
  readonly out: string;
  readonly settings: Settings;
  readonly version: string | undefined;
  readonly shuffle: boolean;
  readonly fingerprint: Fingerprint;
  openTask(): Promise<Task>;
  openBackend(): Promise<Backend | AsyncBackend>;
}

const finishedFile = "finished.json";

/** Trains, or says that all is done. Throws    refusals that name file and field, or the option */
export async function runTraining(job: TrainJob): Promise<TrainReport> {
  const { out, settings, fingerprint } = job;
  const isMine = await isBegun(out, fingerprint);
  if (!isMine) await refuseOthersFolder(out);
  const finished = join(out, finishedFile);
  if (isMine && existsSync(finished)) {
    const report = JSON.parse(await readFile(finished, "utf8")) as TrainReport;
    return { ...report, notes: [`${out}: was finished by an earlier run; nothing was done`, ...report.notes] };
  }
  const task = await job.openTask();
  const warnings: string[] = [];
  const backend = await job.openBackend();
  try {
    const trainer = await openTrainer(job, task, backend, (warning) => warnings.push(warning));
    // Not before all is known to be right: what is refused leaves no folder that another run would not be let into.
    if (!isMine) await beginFolder(out, fingerprint);
    const before = trainer.step;
    const start = performance.now();
    const stopped = await train(out, trainer, task, settings);
    const seconds = (performance.now() - start) / 1000;
    const files = stopped ? [] : await guardedBy(out)(() => trainer.save(out));
    const report: TrainReport = {
      out,
      state: stopped ? "stopped" : "finished",
      ...{ step: trainer.step, steps: trainer.steps, seconds },
      stepsPerSecond: (trainer.step - before) / seconds,
      backend: { name: backend.name, reason: backend.reason },
      metrics: lastOf(await readMetrics(out)),
      files: files.map((name) => join(out, name)),
      notes: [
        ...(before > 0 ? [`went on behind step ${before}, where an earlier run was`] : []),
        ...(stopped ? [`stopped by ${stopped}, saved: the same command goes on behind step ${trainer.step}`] : []),
        ...bestNote(trainer, stopped !== undefined),
        ...settings.notes,
        ...task.notes,
        ...notCut(settings, task),
        ...new Set(warnings),
      ],
    };
    if (stopped) process.exitCode = stopped === "SIGTERM" ? 143 : 130;
    else await guardedBy(out)(() => writeWhole(out, finishedFile, `${toJson(report)}\n`));
    return report;
  } finally {
    await backend.dispose();
  }
}

function bestNote({ best }: Trainer, isStopped: boolean): string[] {
  if (!best || isStopped) return [];
  return [`the best evaluation was behind step ${best.step}: ${best.metric} ${best.value}`];
}

/** A head of ours must not take the place of a model's weights. */
async function refuseOthersFolder(out: string): Promise<void> {
  const there = existsSync(out) ? await guardedBy(out)(() => readdir(out)) : [];
  const others = there.filter((name) => name !== "checkpoints");
  if (others.length === 0) return;
  throw refusal(
    `--out: ${out}: expected a new or an empty folder, got one with ${printable(others[0] as string)} in it`,
  );
}

async function openTrainer(
  { out, settings, version, shuffle }: TrainJob,
  task: Task,
  backend: Backend | AsyncBackend,
  onWarning: (warning: string) => void,
): Promise<Trainer> {
  try {
    return await createTrainer({
      ...{ config: configOf(settings, task), version, backend, shuffle, onWarning },
      ...{ examples: task.examples, evalExamples: task.evalExamples, backbone: task.backbone, head: task.head },
      ...{ reference: task.reference, lora: settings.lora },
      // Looking up costs no more than a cache would.
      ...(task.isInMemory && { cache: { maxBytes: 0 } }),
      checkpoint: { store: join(out, "checkpoints") },
      resume: true,
    });
  } catch (error) {
    throw placed(error, out, task, settings);
  }
}

const limits = ["max_length", "max_prompt_length", "max_completion_length", "max_target_length"];

/** The limits of length that would cut rows whose states are there as a whole. */
const notCut = ({ config }: Settings, { cutsAt = 0 }: Task): string[] =>
  limits
    .filter((key) => Number(config[key] ?? Infinity) < cutsAt)
    .map((key) => `${key}: left out: the file's states are of whole rows, the longest of ${cutsAt} tokens`);

/** States of whole rows leave nothing to cut. */
function configOf({ config }: Settings, { cutsAt }: Task): TrlConfig {
  if (cutsAt === undefined) return config;
  const others = Object.entries(config).filter(([key]) => !limits.includes(key) && key !== "truncation_mode");
  return { ...Object.fromEntries(others), max_length: null };
}

/** Steps until the end, or until asked to stop; says what asked. */
async function train(
  out: string,
  trainer: Trainer,
  task: Task,
  settings: Settings,
): Promise<"SIGINT" | "SIGTERM" | undefined> {
  const metrics = await openMetrics(out, trainer.step);
  const bar = startBar(trainer.steps, "steps");
  const stop = whenAsked();
  try {
    bar.advance(trainer.step, false);
    for await (const step of trainer) {
      await metrics.add(step);
      bar.advance(1, true, liveOf(step));
      if (stop.asked()) break;
    }
    const asked = trainer.step < trainer.steps ? stop.asked() : undefined;
    if (asked) await guardedBy(out)(() => trainer.checkpoint());
    return asked;
  } catch (error) {
    throw placed(error, out, task, settings);
  } finally {
    stop.end();
    bar.stop();
  }
}

function liveOf({ metrics }: TrainStep): string {
  const shown = { loss: "loss", "rewards/margins": "margin", "rewards/accuracies": "accuracy" };
  const parts = Object.entries(shown).flatMap(([key, name]) =>
    metrics[key] === undefined ? [] : `${name} ${metrics[key].toFixed(4)}`,
  );
  return parts.length > 0 ? `; ${parts.join(", ")}` : "";
}

/** Examples by their file and line, keys of the configuration by theirs, failures of the system by the folder. */
function placed(error: unknown, out: string, task: Task, settings: Settings): unknown {
  if (isSystemError(error)) return fileProblem(out, error);
  const message = error instanceof DpoError ? error.message : "";
  const [, list, at, rest = ""] = /^(examples|evalExamples)\[(\d+)\][.:]?\s*(.*)$/s.exec(message) ?? [];
  if (at === undefined) return settings.place(error);
  return refusal(`${task.place(Number(at), list === "evalExamples")}: ${rest}`);
}

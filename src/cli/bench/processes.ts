// Programs that a benchmark starts, and the folders they write into: neither outlives the command, however it ends.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Program {
  /** Rejects when the program ends, with what it last said; never resolves. */
  readonly ended: Promise<never>;
  /** What it writes to standard output. */
  readonly output: NodeJS.ReadableStream;
  /** Ends it and what it has started. */
  stop(): Promise<void>;
}

/** A runtime that has been started on a run. */
export interface Started {
  /** As its program says it; empty where it says nothing. */
  readonly version: string;
  /** Rejects when it ends before it is stopped. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();

let guarding = false;

/** From now on an end by a signal, too, is one that cleans up. */
function guard(): void {
  if (guarding) return;
  guarding = true;
  process.on("exit", () => {
    for (const child of running) killTree(child);
    for (const folder of folders) remove(folder);
  });
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.on(signal, () => process.exit(128 + number));
  }
}

/** Starts a program in a group of its own: browsers are many processes. */
export function startProgram(file: string, args: readonly string[], env: Record<string, string> = {}): Program {
  guard();
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: process.platform !== "win32",
  });
  running.add(child);
  let said = "";
  const keep = (text: string): void => {
    said = (said + text).slice(-2000);
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const ended = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      running.delete(child);
      reject(new Error(`${file} ended with ${signal ?? `status ${code}`}${lastLines(said)}`));
    });
  });
  // Whoever waits for something else meanwhile may never look.
  ended.catch(() => {});
  const stop = async (): Promise<void> => {
    if (running.delete(child)) killTree(child);
    await gone;
  };
  return { ended, output: child.stdout, stop };
}

const lastLines = (text: string): string => {
  const lines = text.trim().split("\n").slice(-5).join("\n");
  return lines === "" ? "" : `: ${lines}`;
};

function killTree({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    if (process.platform === "win32") execFileSync("taskkill", ["/pid", String(pid), "/t", "/f"], { stdio: "ignore" });
    else process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** An empty folder that is removed by `remove`, or at the end. */
export function temporaryFolder(): string {
  guard();
  const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-bench-"));
  folders.add(folder);
  return folder;
}

/** Processes that are being ended may still write for a moment. */
export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  folders.delete(folder);
}

/** The version number in what a program says to `--version`; empty where it says none. */
export function versionOf(file: string, env: Record<string, string> = {}): Promise<string> {
  // A browser there opens a window instead.
  if (process.platform === "win32") return Promise.resolve("");
  return new Promise((resolve) => {
    execFile(file, ["--version"], { env: { ...process.env, ...env }, timeout: 10_000 }, (_error, output) =>
      resolve(/\d+([.-]\d+)+\w*/.exec(output)?.[0] ?? ""),
    );
  });
}

// The runtimes that a benchmark runs in, one after the other: which are here, how each is started, and what comes of it.

import { loadavg } from "node:os";
import { join } from "node:path";
import type { Order, Report } from "../../bench/remote.ts";
import type { Progress } from "../../bench/run.ts";
import type { BenchResult } from "../../bench/types.ts";
import { printable } from "../../checks/printable.ts";
import { refusal } from "../refusal.ts";
import { startBrowser } from "./browsers.ts";
import { thisMachine } from "./here.ts";
import { type BrowserName, browserNames, findBrowser, findOnPath, findWorkerd, isProgram } from "./places.ts";
import { type Started, startProgram, versionOf } from "./processes.ts";
import type { BenchServer } from "./serve.ts";
import { startWorkerd } from "./workerd.ts";

export const runtimeNames = ["node", "deno", "bun", ...browserNames, "workerd"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** A runtime to measure in. */
export interface Runtime {
  readonly name: RuntimeName;
  /** What it is called in progress and notes. */
  readonly label: string;
  /** Its program; undefined where none was found. */
  readonly program: string | undefined;
  /** Whether the user has asked for it: then it is an error that it is missing or fails. */
  readonly isNamed: boolean;
}

const find = (name: RuntimeName): string | undefined => {
  if (name === "node") return process.execPath;
  if (name === "workerd") return findWorkerd(process.cwd());
  return isBrowser(name) ? findBrowser(name) : findOnPath(name);
};

const isBrowser = (name: RuntimeName): name is BrowserName => (browserNames as readonly string[]).includes(name);

const howToGet: Readonly<Record<RuntimeName, string>> = {
  node: "",
  deno: "npm install deno, or https://deno.com",
  bun: "npm install bun, or https://bun.com",
  chromium: "install Chromium, Chrome or Edge, or --runtimes chromium=PATH",
  firefox: "install Firefox, or --runtimes firefox=PATH",
  webkit:
    "Debian's webkit2gtk-driver and xvfb bring MiniBrowser, epiphany-browser will do too; in Safari open the page of --page by hand",
  workerd: "npm install wrangler, or workerd",
};

/**
 * The runtimes of `--runtimes node=/opt/node20/bin/node,firefox`. `all` are those that are found, but for what is given by its file.
 * Throws    a refusal for a name that is none, and a file that is no program
 */
export function chooseRuntimes(given: string): Runtime[] {
  const words = given.split(",").map((word) => word.trim());
  const byFile = words.map((word) => word.split("=")).flatMap(([name, file]) => (file === undefined ? [] : [name]));
  return words.flatMap((word) => {
    if (word !== "all") return [namedRuntime(word)];
    const others = runtimeNames.filter((name) => name === "node" || !byFile.includes(name));
    return others.map((name) => ({ name, label: name, program: find(name), isNamed: false }));
  });
}

function namedRuntime(word: string): Runtime {
  const [name = "", file] = word.split(/=(.*)/s);
  const known = runtimeNames.find((one) => one === name);
  if (!known) {
    const names = ["all", ...runtimeNames].join(", ");
    throw refusal(`--runtimes: expected ${names}, with or without =PATH, got ${printable(name)}`);
  }
  if (file === undefined) return { name: known, label: known, program: find(known), isNamed: true };
  if (!isProgram(file)) throw refusal(`--runtimes: ${name}: no program at ${printable(file)}`);
  return { name: known, label: `${known} (${file})`, program: file, isNamed: true };
}

export interface Outcome {
  readonly results: readonly BenchResult[];
  /** Whether a runtime that the user has asked for gave no result. */
  readonly hasFailed: boolean;
}

export interface Watch {
  /** A runtime is being started. */
  start(label: string): void;
  progress(label: string, progress: Progress): void;
  /** It has ended, one way or the other. */
  end(): void;
  /** It did not come about, and why. */
  note(text: string): void;
  /** A result is there: it is kept also where a later runtime is interrupted. */
  result(result: BenchResult): void | Promise<void>;
}

/** Runs in each runtime after the other, never at the same time. */
export async function runEverywhere(
  runtimes: readonly Runtime[],
  server: BenchServer,
  dist: string,
  order: Order,
  watch: Watch,
): Promise<Outcome> {
  const results: BenchResult[] = [];
  let hasFailed = false;
  for (const { name, label, program, isNamed } of runtimes) {
    let result: BenchResult;
    try {
      if (program === undefined) throw new Error(`not found: ${howToGet[name]}`);
      watch.start(label);
      result = await runIn({ name, program }, server, dist, order, (progress) => watch.progress(label, progress));
    } catch (error) {
      watch.end();
      watch.note(`${label}: ${error instanceof Error ? error.message : String(error)}`);
      hasFailed ||= isNamed;
      continue;
    }
    watch.end();
    results.push(result);
    await watch.result(result);
  }
  return { results, hasFailed };
}

/** Milliseconds without a word after which a run is given up: a browser may be waiting for a click that nobody makes. */
const PATIENCE = { untilItStarts: 60_000, betweenWords: 300_000 };

export type Patience = typeof PATIENCE;

/** One run. Throws    Error when it fails, ends early or falls silent */
export async function runIn(
  { name, program }: { readonly name: RuntimeName; readonly program: string },
  server: BenchServer,
  dist: string,
  order: Order,
  onProgress: (progress: Progress) => void,
  patience: Patience = PATIENCE,
): Promise<BenchResult> {
  let timer: NodeJS.Timeout | undefined;
  let report: (report: Report) => void = () => {};
  const told = new Promise<BenchResult>((resolve, reject) => {
    const waitFor = (milliseconds: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => reject(new Error(`no word from it for ${milliseconds / 1000} s`)), milliseconds);
    };
    report = (said) => {
      waitFor(patience.betweenWords);
      if ("progress" in said) onProgress(said.progress);
      else if ("result" in said) resolve(said.result);
      else reject(new Error(said.failure));
    };
    waitFor(patience.untilItStarts);
  });
  // Nobody listens yet while it starts.
  told.catch(() => {});
  const before = load();
  const { address, token, drop } = server.wait({
    order: {
      ...order,
      // Pages have an import map.
      peers: isBrowser(name) ? {} : order.peers,
      ...(before === undefined ? {} : { load: before }),
    },
    report,
  });
  let started: Started | undefined;
  try {
    started = await start(name, program, dist, address, server.page(token, "at once"));
    return onThisMachine(await Promise.race([told, started.ended]), started.version, before);
  } finally {
    clearTimeout(timer);
    drop();
    await started?.stop();
  }
}

/** Their collectors are shown to the run, which frees garbage between its turns. */
const scriptFlags = {
  node: ["--expose-gc"],
  bun: ["--expose-gc"],
  deno: ["run", "--allow-all", "--quiet", "--no-lock", "--v8-flags=--expose-gc"],
} as const;

function start(name: RuntimeName, program: string, dist: string, address: string, page: string): Promise<Started> {
  if (isBrowser(name)) return startBrowser(name, program, page);
  if (name === "workerd") return startWorkerd(program, dist, address);
  return startScript(program, [...scriptFlags[name], join(dist, "bench-run.js"), address]);
}

async function startScript(program: string, args: readonly string[]): Promise<Started> {
  const version = await versionOf(program);
  return { ...startProgram(program, args), version };
}

/** Processes that wanted to run in the last minute; Windows does not say. */
const load = (): number | undefined => (process.platform === "win32" ? undefined : loadavg()[0]);

/** What a page or a Worker cannot know of the machine, and a browser does not say of itself, is known here. */
export function onThisMachine(
  { machine, runtime, ...result }: BenchResult,
  version = "",
  before: number | undefined = undefined,
): BenchResult {
  const after = load();
  return {
    ...result,
    machine: {
      ...machine,
      ...thisMachine(),
      ...(before === undefined || after === undefined ? {} : { load: [before, after] }),
    },
    runtime: { ...runtime, version: version || runtime.version },
  };
}

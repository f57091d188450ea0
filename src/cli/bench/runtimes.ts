// The runtimes that a benchmark runs in, one after the other: which are here, how each is started, and what comes of it.

import { join } from "node:path";
import { runTotals } from "../../bench/budget.ts";
import type { Order, Report } from "../../bench/remote.ts";
import type { Progress } from "../../bench/run.ts";
import type { BenchResult } from "../../bench/types.ts";
import { printable } from "../../checks/printable.ts";
import { refusal } from "../refusal.ts";
import { startBrowser } from "./browsers.ts";
import { thisMachine } from "./here.ts";
import { besideOthers, countersOf, othersNow, watchOthers } from "./others.ts";
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
  /** Whether a runtime that the user has asked for gave no result, or did not come to its end. */
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

/**
 * Milliseconds for all runtimes together: quick runs are to end within two minutes, whole ones within twenty, with
 * what it takes to start the runtimes, and with the native yardsticks of this repository.
 */
const totals = { quick: 95_000, whole: 960_000 } as const;

/** What a runtime may take, where so many have not had their turn yet; none where cases are named, which are measured however long they take. */
export function totalOf({ quick, cases }: Order["options"], spent: number, ahead: number): number | undefined {
  if (cases) return undefined;
  const kind = quick ? "quick" : "whole";
  return Math.max(1, Math.min(runTotals[kind], (totals[kind] - spent) / ahead));
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
  const start = performance.now();
  for (const [k, { name, label, program, isNamed }] of runtimes.entries()) {
    const ahead = runtimes.slice(k).filter((one) => one.program !== undefined).length;
    const total = order.options.total ?? totalOf(order.options, performance.now() - start, ahead);
    let run: Run;
    try {
      if (program === undefined) throw new Error(`not found: ${howToGet[name]}`);
      watch.start(label);
      const timed = { ...order, options: { ...order.options, total } };
      run = await runIn({ name, program }, server, dist, timed, (progress) => watch.progress(label, progress));
    } catch (error) {
      watch.end();
      watch.note(`${label}: ${error instanceof Error ? error.message : String(error)}`);
      hasFailed ||= isNamed;
      continue;
    }
    watch.end();
    hasFailed ||= isNamed && !run.isWhole;
    results.push(run.result);
    await watch.result(run.result);
  }
  return { results, hasFailed };
}

/** Milliseconds without a word after which a run is given up: a browser may be waiting for a click that nobody makes, or a library for ever. */
export interface Patience {
  readonly untilItStarts: number;
  readonly betweenWords: number;
}

/** What is asked for by name may take its time. */
const patienceOf = ({ quick, cases }: Order["options"]): Patience => ({
  untilItStarts: 60_000,
  betweenWords: cases ? 300_000 : quick ? 30_000 : 60_000,
});

export interface Run {
  readonly result: BenchResult;
  /** Whether it came to its end. */
  readonly isWhole: boolean;
}

/** One run; what it measured is kept where it ends early or falls silent. Throws    Error when that is nothing */
export async function runIn(
  { name, program }: { readonly name: RuntimeName; readonly program: string },
  server: BenchServer,
  dist: string,
  order: Order,
  onProgress: (progress: Progress) => void,
  patience: Patience = patienceOf(order.options),
): Promise<Run> {
  let timer: NodeJS.Timeout | undefined;
  let report: (report: Report) => void = () => {};
  let [soFar, last]: [BenchResult | undefined, Progress | undefined] = [undefined, undefined];
  const told = new Promise<BenchResult>((resolve, reject) => {
    const waitFor = (milliseconds: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => reject(new Error(`no word from it for ${milliseconds / 1000} s`)), milliseconds);
    };
    report = (said) => {
      waitFor(patience.betweenWords);
      if ("progress" in said) {
        last = { ...(last?.case === said.progress.case ? last : {}), ...said.progress };
        onProgress(said.progress);
      } else if ("soFar" in said) soFar = said.soFar;
      else if ("result" in said) resolve(said.result);
      else reject(new Error(said.failure));
    };
    waitFor(patience.untilItStarts);
  });
  // Nobody listens yet while it starts.
  told.catch(() => {});
  const before = await othersNow();
  // Pages have an import map.
  const { address, token, drop } = server.wait({
    order: { ...order, peers: isBrowser(name) ? {} : order.peers },
    report,
  });
  const others = watchOthers(countersOf(true));
  let started: Started | undefined;
  try {
    started = await start(name, program, dist, address, server.page(token, "at once"));
    const { version, ended } = started;
    const { result, isWhole } = await Promise.race([told, ended]).then(
      (result) => ({ result, isWhole: true }),
      (cause: Error) => ({ result: cutShort(soFar, last, cause), isWhole: false }),
    );
    return { result: besideOthers(onThisMachine(result, version), before, others()), isWhole };
  } finally {
    clearTimeout(timer);
    drop();
    await started?.stop();
  }
}

/** What is there of a run that has not come to its end. Throws    its cause, where that is nothing */
function cutShort(soFar: BenchResult | undefined, last: Progress | undefined, cause: Error): BenchResult {
  if (!soFar || !last) throw cause;
  const why = `the run ended here: ${cause.message}`;
  return {
    ...soFar,
    skipped: [...soFar.skipped, { case: last.case, candidate: last.candidate ?? "all candidates", why }],
    notes: [
      ...soFar.notes,
      `the run did not come to its end, and lacks what comes after ${last.case}: ${cause.message}`,
    ],
  };
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

/** What a page or a Worker cannot know of the machine, and a browser does not say of itself, is known here. */
export function onThisMachine({ machine, runtime, ...result }: BenchResult, version = ""): BenchResult {
  return {
    ...result,
    machine: { ...machine, ...thisMachine() },
    runtime: { ...runtime, version: version || runtime.version },
  };
}

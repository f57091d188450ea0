// Planners, workers and stores for the tests of a scoring on many machines: the command line's own processes.

import { type ChildProcess, spawn } from "node:child_process";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { folder, root, write } from "../../cli-run.ts";

export const path = (name: string): string => join(folder, name);

const things = ["cat", "dog", "ball", "tree", "bird", "boy", "girl", "car"];
export const pairs = Array.from({ length: 24 }, (_, i) => ({
  id: i,
  prompt: ` Once upon a time there was a ${things[i % 8]} and`,
  chosen: ` it was ${"very ".repeat(i % 5)}happy.`,
  rejected: ` the ${things[(3 * i) % 8]} was sad.`,
}));

export interface Running {
  readonly child: ChildProcess;
  /** What it has written to standard error, and to standard output. */
  said(): string;
  readonly ended: Promise<number | null>;
}

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts `score`; what is left of it at the end of the test file is killed. */
export function begin(...args: readonly string[]): Running {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "src/cli/main.ts", "score", ...args],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      text += chunk;
    });
  }
  running.add(child);
  const ended = new Promise<number | null>((resolve) =>
    child.once("close", (code) => {
      running.delete(child);
      resolve(code);
    }),
  );
  return { child, said: () => text, ended };
}

/** Tells workers to end; gives how many shards each has computed. */
export async function endWorkers(...workers: readonly Running[]): Promise<number[]> {
  for (const { child } of workers) child.kill("SIGINT");
  const codes = await Promise.all(workers.map(({ ended }) => ended));
  expect(codes).toEqual(workers.map(() => 0));
  return workers.map(({ said }) => Number(/(\d+) shards, \d+ rows/.exec(said())?.[1]));
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((go) => setTimeout(go, 10));
}

/** How many shards of a job lie in its folder. */
export const finished = (out: string, shards: number): number =>
  Array.from({ length: shards }, (_, i) => `${String(i).padStart(8, "0")}.json`).filter((name) =>
    existsSync(join(path(`${out}.job`), name)),
  ).length;

/**
 * A store for `--data` over the folder of the tests. Before it reads, it runs `code`, which knows `start`, where the bytes begin,
 * and `mark(name)`, which makes a file in that folder.
 */
export function storeThat(name: string, code: string): string {
  return write(
    `${name}.mjs`,
    `import { existsSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
const folder = ${JSON.stringify(folder)};
const mark = (name) => writeFileSync(folder + "/" + name, "");
export default {
  size: async (name) => statSync(folder + "/" + name).size,
  read: async (name, start, end) => {
    ${code}
    const file = await open(folder + "/" + name);
    const { buffer } = await file.read(new Uint8Array(end - start), 0, end - start, start);
    await file.close();
    return buffer;
  },
};
`,
  );
}

/** A store whose first shards come at once; the others, so that no job is done too early, once a file of this name is there. */
export const heldUntil = (name: string): string =>
  storeThat(
    `until-${name}`,
    `while (start > 600 && !existsSync(folder + "/${name}")) await new Promise((go) => setTimeout(go, 20));`,
  );

export interface RangeServer {
  readonly url: string;
  /** Of each answer: the file, the status, and the bytes that were asked for. */
  readonly answers: { name: string; status: number; range: string }[];
  close(): Promise<void>;
}

/** The folder of the tests over HTTP, with ranges of bytes or without. */
export async function serveRanges(withRanges = true): Promise<RangeServer> {
  const answers: RangeServer["answers"] = [];
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? "").replace(/^\/data\/(.*?)(\?.*)?$/, "$1"));
    const file = path(name);
    const size = existsSync(file) ? statSync(file).size : -1;
    const range = request.headers.range ?? "";
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const status = size < 0 ? 404 : from !== undefined && withRanges ? 206 : 200;
    answers.push({ name, status, range });
    const [start, end] = status === 206 ? [Number(from), Math.min(Number(to), size - 1)] : [0, size - 1];
    response.writeHead(status, { "Content-Length": status === 404 ? 0 : end - start + 1 });
    if (status === 404 || request.method === "HEAD") response.end();
    else createReadStream(file, { start, end }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data`,
    answers,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

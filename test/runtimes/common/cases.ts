// Cases that ran in another engine as tests of this run: each has its name, and fails as it failed there.

import { describe, expect, it } from "vitest";
import type { BrowserKind } from "../support/browsers.ts";
import { output, pinned, reportOf } from "../support/processes.ts";
import { isolation, serve } from "../support/server.ts";
import { bundle, files } from "./bundle.ts";
import type { Outcome } from "./run.ts";

/** Where the files run, `lanes` of them at a time. */
interface Place {
  run(file: string): Promise<Outcome[]>;
  lanes: number;
  close(): Promise<void>;
}

/** What a file may take: a software driver on a busy machine. */
const PATIENCE = 300_000;

/** Where `missing` says what is not here, one skipped test tells, which fails where CI is set. `which` are the files whose cases run. */
export async function commonCases(
  name: string,
  missing: string,
  open: () => Promise<Place>,
  which: readonly string[] = files,
): Promise<void> {
  if (missing) {
    const title = `${name} (skipped: ${missing})`;
    console.warn(title);
    it.skipIf(!process.env["CI"])(title, () => expect.fail(missing));
    return;
  }
  const place = await open();
  const [expected, outcomes] = await Promise.all([casesOfNode(which), runAll(place, which)]).finally(place.close);
  describe(name, () => {
    for (const [file, cases] of outcomes) {
      describe(file, () => {
        // Without a driver for Dawn there is nothing to compare with, which fails by itself where CI is set.
        it.skipIf(expected.length === 0)("has every case that it has on WebGPU in Node", () => {
          const names = expected.filter((one) => one.file.endsWith(`/${file}.test.ts`)).map((one) => one.name);
          expect(cases.map((one) => one.name).sort()).toEqual(names.sort());
        });
        for (const { name, state, error } of cases) {
          it.skipIf(state === "skip")(name, () => expect(state, error).toBe("pass"));
        }
      });
    }
  });
}

/** One that fails as a whole is a failed case. */
async function runAll({ run, lanes }: Place, which: readonly string[]): Promise<[file: string, cases: Outcome[]][]> {
  const outcomes = new Map<string, Outcome[]>();
  const left = [...which];
  const work = async (): Promise<void> => {
    for (let file = left.shift(); file; file = left.shift()) {
      const failure = (error: unknown): Outcome[] => [{ name: "is run", state: "fail", error: String(error) }];
      outcomes.set(file, await run(file).catch(failure));
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  return [...outcomes].sort();
}

/** The cases that run on Dawn, as vitest lists them. */
async function casesOfNode(which: readonly string[]): Promise<{ name: string; file: string }[]> {
  const paths = which.map((file) => `test/${file}.test.ts`);
  const list = ["list", "--json", "--no-static-parse", "--testNamePattern", "webgpu", ...paths];
  return JSON.parse(await output(pinned("vitest"), list, PATIENCE));
}

/** A page after the other. Isolated: some cases share memory. */
export async function inPages({ open }: BrowserKind): Promise<Place> {
  const folder = await bundle("page");
  const [browser, server] = await Promise.all([open(), serve(isolation)]);
  return {
    run: async (file) => {
      const visit = browser.visit(server.url(`${folder}/page.html?file=${file}`));
      const [report] = await Promise.all([server.report(PATIENCE), visit]);
      return report as Outcome[];
    },
    lanes: 1,
    close: async () => void (await Promise.all([browser.close(), server.close()])),
  };
}

/** A process for each file. */
export async function inDeno(): Promise<Place> {
  const program = `${await bundle("deno")}/deno.js`;
  const run = (file: string) =>
    reportOf(pinned("deno"), ["run", "--no-prompt", "--allow-env", "--allow-read", program, file], PATIENCE) as Promise<
      Outcome[]
    >;
  return { run, lanes: 2, close: async () => {} };
}

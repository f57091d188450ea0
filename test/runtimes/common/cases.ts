// Cases that ran in another engine as tests of this run: each has its name, and fails as it failed there.

import { describe, expect, it } from "vitest";
import type { BrowserKind } from "../support/browsers.ts";
import { output, pinned, reportOf } from "../support/processes.ts";
import { isolation, serve } from "../support/server.ts";
import { bundle, files } from "./bundle.ts";
import type { Outcome } from "./run.ts";
import { sampleOf } from "./sample.ts";

/** Where the files run, `lanes` of them at a time. */
interface Place {
  run(file: string): Promise<Outcome[]>;
  lanes: number;
  /** Whether it runs a sample of each file's cases. */
  isSample: boolean;
  close(): Promise<void>;
}

/** What a file may take: a software driver on a busy machine. */
const PATIENCE = 300_000;

/** The list, beside the first engine's files. measured: a minute of the processor. */
const PATIENCE_OF_LIST = 900_000;

/** Where `missing` says what is not here, one skipped test tells, which fails where CI is set. */
export async function commonCases(name: string, missing: string, open: () => Promise<Place>): Promise<void> {
  if (missing) {
    const title = `${name} (skipped: ${missing})`;
    console.warn(title);
    it.skipIf(!process.env["CI"])(title, () => expect.fail(missing));
    return;
  }
  const place = await open();
  const [expected, outcomes] = await Promise.all([casesOfNode(), runAll(place)]).finally(place.close);
  describe(name, () => {
    for (const [file, cases] of outcomes) {
      describe(file, () => {
        // Without a driver for Dawn there is nothing to compare with, which fails by itself where CI is set.
        const which = place.isSample ? "a sample of the cases" : "every case";
        it.skipIf(expected.length === 0)(`has ${which} that it has on WebGPU in Node`, () => {
          const all = expected.filter((one) => one.file.endsWith(`/${file}.test.ts`)).map((one) => one.name);
          const sample = sampleOf(all);
          const names = place.isSample ? all.filter((name) => sample.has(name)) : all;
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
async function runAll({ run, lanes }: Place): Promise<[file: string, cases: Outcome[]][]> {
  const outcomes = new Map<string, Outcome[]>();
  const left = [...files];
  const work = async (): Promise<void> => {
    for (let file = left.shift(); file; file = left.shift()) {
      const failure = (error: unknown): Outcome[] => [{ name: "is run", state: "fail", error: String(error) }];
      outcomes.set(file, await run(file).catch(failure));
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  return [...outcomes].sort();
}

let listed: Promise<{ name: string; file: string }[]> | undefined;

/** The cases that run on Dawn, as vitest lists them, which takes as long as half of an engine's. */
function casesOfNode(): Promise<{ name: string; file: string }[]> {
  listed ??= listCases();
  return listed;
}

async function listCases(): Promise<{ name: string; file: string }[]> {
  const paths = files.map((file) => `test/${file}.test.ts`);
  const list = ["list", "--json", "--no-static-parse", "--testNamePattern", "webgpu", ...paths];
  return JSON.parse(await output(pinned("vitest"), list, PATIENCE_OF_LIST));
}

let pages: Promise<string> | undefined;

/** A sample of each file, a page after the other. Isolated: some cases share memory. */
export async function inPages({ open }: BrowserKind): Promise<Place> {
  pages ??= bundle("page");
  const folder = await pages;
  const [browser, server] = await Promise.all([open(), serve(isolation)]);
  return {
    run: async (file) => {
      const visit = browser.visit(server.url(`${folder}/page.html?sample&file=${file}`));
      const [report] = await Promise.all([server.report(PATIENCE), visit]);
      return report as Outcome[];
    },
    lanes: 1,
    isSample: true,
    close: async () => void (await Promise.all([browser.close(), server.close()])),
  };
}

/** Every case, a process for each file. */
export async function inDeno(): Promise<Place> {
  const program = `${await bundle("deno")}/deno.js`;
  const run = (file: string) =>
    reportOf(pinned("deno"), ["run", "--no-prompt", "--allow-env", "--allow-read", program, file], PATIENCE) as Promise<
      Outcome[]
    >;
  return { run, lanes: 2, isSample: false, close: async () => {} };
}

// How responsive a page stays while a pool of two workers computes 1 GiB of logits, forward and backward: `node
// bench/pool-page.bench.ts [rows]`. Needs Debian's chromium. The goal is no task longer than 20 ms.
//
// Two measurements, since each can miss something: Chromium's own trace of tasks on the page's main thread, and the gaps
// between timer ticks in the page, which also show processor time taken by other processes.

import { chromium } from "playwright-core";
import { type Headers, isolation, serve } from "../test/runtimes/support/server.ts";
import { table } from "./measure.ts";

const rows = Number(process.argv[2] ?? 8192);
const vocab = 32_768;

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args: { name?: string };
}

/** Milliseconds of the longest task of the thread that ran the page, between its marks "begin" and "end". */
function longestTask(trace: Buffer): { wall: number; cpu: number; tasks: number } {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const mark = (name: string) => traceEvents.find((event) => event.name === name && event.ph !== "M");
  const [begin, end] = [mark("begin"), mark("end")];
  if (!begin || !end) throw new Error("trace: expected the page's marks, got none");
  const tasks = traceEvents.filter(
    ({ name, pid, tid, ts, dur = 0 }) =>
      name === "ThreadControllerImpl::RunTask" &&
      pid === begin.pid &&
      tid === begin.tid &&
      ts + dur > begin.ts &&
      ts < end.ts,
  );
  if (tasks.length === 0) throw new Error("trace: expected tasks, got none");
  const most = (of: (event: TraceEvent) => number | undefined) =>
    Math.max(...tasks.map((task) => of(task) ?? 0)) / 1000;
  return { wall: most(({ dur }) => dur), cpu: most(({ tdur }) => tdur), tasks: tasks.length };
}

async function run(memory: string, headers: Headers, allocates: boolean): Promise<(string | number)[][]> {
  const server = await serve(headers);
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-quic"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(server.url("bench/pool-page/index.html"), { waitUntil: "load" });
    await page.waitForFunction("globalThis.measure !== undefined");
    await page.evaluate(`prepare(${rows}, ${vocab}, ${allocates})`);
    const lines: (string | number)[][] = [];
    for (let round = 0; round < 3; round++) {
      await browser.startTracing(page, { categories: ["toplevel", "blink.user_timing"] });
      const { idle, busy, took } = (await page.evaluate("measure()")) as Record<"idle" | "busy" | "took", number>;
      const { wall, cpu, tasks } = longestTask(await browser.stopTracing());
      lines.push([memory, wall, cpu, String(tasks), busy, idle, took]);
    }
    return lines;
  } finally {
    await browser.close();
    await server.close();
  }
}

const header = ["logits", "longest task", "its processor time", "tasks", "longest gap", "gap when idle", "computing"];
const lines = [
  ...(await run("isolated page, array of allocate", isolation, true)),
  ...(await run("isolated page, array of its own", isolation, false)),
  ...(await run("page that is not isolated", {}, false)),
];
console.log(`${((rows * vocab * 4) / 2 ** 30).toFixed(2)} GiB of logits, milliseconds\n${table(header, lines)}`);

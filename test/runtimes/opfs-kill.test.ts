// A training in Chromium whose processes are killed at 20 random steps: checkpoints in the origin's private file system bring it back.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, it } from "vitest";
import { findBrowser } from "../../src/cli/bench/places.ts";
import { randomOf } from "../../src/train/trainer/order.ts";
import { whereThereIs } from "../support/where-there-is.ts";
import { inChromium } from "./support/browsers.ts";
import { type Server, serve } from "./support/server.ts";

// So many that none of the runs that are killed comes to its end.
const steps = 200;
const patience = 60_000;

/** Opens a page in a browser of its own, all of whose processes one signal reaches. */
function open(profile: string, url: string): ChildProcess {
  const quiet = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-sync", "--disable-gpu"];
  const args = [
    ...quiet,
    "--disable-background-networking",
    "--disable-component-update",
    `--user-data-dir=${profile}`,
  ];
  return spawn(findBrowser("chromium") ?? "chromium", [...args, url], { detached: true, stdio: "ignore" });
}

/** Kills the browser and what it started, as a machine that goes down does. */
async function kill(browser: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => browser.once("exit", resolve));
  process.kill(-(browser.pid as number), "SIGKILL");
  await end;
}

/** What a page reports until it has `enough`; then the browser is killed, `after` milliseconds later. */
async function run(server: Server, profile: string, store: string, enough: (lines: string[]) => boolean, after = 0) {
  const browser = open(profile, server.url(`test/runtimes/opfs-kill.html?store=${store}&steps=${steps}`));
  try {
    for (;;) {
      const lines = (await server.report(patience)) as string[];
      if (!enough(lines)) continue;
      await wait(after);
      return lines;
    }
  } finally {
    await kill(browser);
  }
}

whereThereIs(
  `Chromium, killed at 20 random steps`,
  inChromium.missing,
  () => {
    it("goes on with the same bits each time", async () => {
      const server = await serve();
      const profile = mkdtempSync(join(tmpdir(), "dpo-kernels-chromium-"));
      try {
        const isDone = (lines: string[]): boolean => /^(end|failed)/.test(lines.at(-1) ?? "");
        const whole = await run(server, profile, "whole", isDone);
        expect(whole).toHaveLength(steps + 1);
        const random = randomOf(7, 0);
        const told = new Map<number, string>();
        let last = 0;
        for (let kills = 0; kills < 20; kills++) {
          const least = 1 + Math.floor(random() * 4);
          const lines = await run(
            server,
            profile,
            "killed",
            (got) => got.length >= least || isDone(got),
            20 * random(),
          );
          // Killed between the two files of a checkpoint, a training passes over it with a warning.
          const done = lines.filter((line) => !line.startsWith("warning checkpoint-"));
          expect(done.filter((line) => !/^\d/.test(line))).toEqual([]);
          for (const line of done) told.set(Number.parseInt(line, 10), line);
          // What was told had its checkpoint: it goes on behind it.
          expect(Number.parseInt(done[0] ?? "", 10)).toBeGreaterThan(last);
          last = Number.parseInt(done.at(-1) ?? "", 10);
        }
        expect(told.size).toBeGreaterThanOrEqual(20);
        for (const [step, line] of told) expect(line).toBe(whole[step - 1]);
        const end = await run(server, profile, "killed", isDone);
        expect(end.at(-1)).toBe(whole.at(-1));
      } finally {
        await server.close();
        rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
      }
    });
  },
  { timeout: 10 * patience },
);

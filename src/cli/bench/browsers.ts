// Browsers opened on a page, without a driver: a profile of their own, which goes with them, and no window where they can do without.

import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type BrowserName, findOnPath } from "./places.ts";
import { type Program, remove, type Started, startProgram, temporaryFolder, versionOf } from "./processes.ts";

/** Browsers refuse their own sandboxes to root, who mostly is in a container. */
const isRoot = process.getuid?.() === 0;

const chromiumFlags = [
  "--headless=new",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-breakpad",
  "--js-flags=--expose-gc",
  // What is measured is not seen by anybody, and must not be slower for it.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  ...(isRoot ? ["--no-sandbox"] : []),
];

const firefoxPreferences = {
  "app.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.max_script_run_time": 0,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

/** How each is started on a page, with a profile in this folder; with programs that it needs beside it. */
const starts: Readonly<Record<BrowserName, (program: string, folder: string, page: string) => Promise<Opened>>> = {
  async chromium(program, folder, page) {
    const version = await versionOf(program);
    return { programs: [startProgram(program, [...chromiumFlags, `--user-data-dir=${folder}`, page])], version };
  },
  async firefox(program, folder, page) {
    const lines = Object.entries(firefoxPreferences).map(([name, value]) => `user_pref("${name}", ${value});\n`);
    writeFileSync(join(folder, "user.js"), lines.join(""));
    const version = await versionOf(program);
    return { programs: [startProgram(program, ["--headless", "--no-remote", "--profile", folder, page])], version };
  },
  async webkit(program, folder, page) {
    const screen = await screenFor(program);
    const env = {
      ...screen?.env,
      HOME: folder,
      XDG_CACHE_HOME: folder,
      XDG_CONFIG_HOME: folder,
      XDG_DATA_HOME: folder,
      ...(isRoot ? { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" } : {}),
    };
    const profile = basename(program).startsWith("epiphany") ? ["--private-instance", `--profile=${folder}`] : [];
    const version = await versionOf(program, env);
    const browser = startProgram(program, [...profile, page], env);
    return { programs: [browser, ...(screen ? [screen.program] : [])], version };
  },
};

interface Opened {
  readonly programs: readonly Program[];
  readonly version: string;
}

export async function startBrowser(name: BrowserName, program: string, page: string): Promise<Started> {
  const folder = temporaryFolder();
  const { programs, version } = await starts[name](program, folder, page);
  return {
    version,
    ended: Promise.race(programs.map(({ ended }) => ended)),
    async stop() {
      for (const each of programs) await each.stop();
      remove(folder);
    },
  };
}

/** WebKit's browsers have no headless mode: where there is no screen, Xvfb is one. */
async function screenFor(browser: string): Promise<{ program: Program; env: Record<string, string> } | undefined> {
  if (process.env["DISPLAY"] || process.env["WAYLAND_DISPLAY"]) return undefined;
  const file = findOnPath("Xvfb");
  if (file === undefined) throw new Error(`${browser} needs a screen: set DISPLAY, or install Xvfb (package xvfb)`);
  const program = startProgram(file, ["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]);
  const number = new Promise<string>((resolve) => program.output.once("data", (line) => resolve(String(line).trim())));
  return { program, env: { DISPLAY: `:${await Promise.race([number, program.ended])}` } };
}

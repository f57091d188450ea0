// Programs in other runtimes, run to their end.

import { type ChildProcess, execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A program that neither ends by itself nor prints for so long hangs: it is killed, and the test fails. */
const GENEROUS = 60_000;

/** The output of a program that ends by itself with code 0. */
export function output(executable: string, args: readonly string[], patience = GENEROUS): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { cwd: root, timeout: patience, killSignal: "SIGKILL", maxBuffer: 1 << 26 } as const;
    execFile(executable, args, limits, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      // The first line is what a log's last lines keep of a failed test.
      const said = stderr.split("\n").find((line) => line.includes("Error")) ?? "no error on stderr";
      const ended = `ended with ${error.signal ?? error.code}: ${said}`;
      const why = error.killed ? `did not exit by itself within ${patience} ms` : ended;
      reject(new Error(`${executable} ${args.join(" ")}: ${why}\n${stdout}\n${stderr}`));
    });
  });
}

/** The report that a program prints. */
export const reportOf = async (executable: string, args: readonly string[], patience?: number): Promise<unknown> =>
  JSON.parse(await output(executable, args, patience));

/** A program of node_modules, pinned there. */
export const pinned = (name: string): string => join(root, "node_modules/.bin", name);

/** The machine's own Node, which may be as old as Node 20; empty where there is none. */
export const systemNode =
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules") && !folder.includes("node-gyp-bin"))
    .map((folder) => join(folder, "node"))
    .find((file) => existsSync(file)) ?? "";

/** How to get it where it is missing. */
export const noSystemNode = systemNode ? "" : "no node on PATH beside the pinned one: apt-get install -y nodejs";

/** How to get a program of node_modules that is missing. */
export const noPinned = (name: string): string =>
  existsSync(pinned(name)) ? "" : `no node_modules/.bin/${name}: npm ci, with the install script of ${name} allowed`;

/** Ends a child, and resolves when it has ended. */
export function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill();
  });
}

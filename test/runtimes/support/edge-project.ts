// The examples of examples/edge/ as projects of users, and servers started in them.

import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pinned, root, stop } from "./processes.ts";
import { freePort, project, toolFile } from "./projects.ts";

/** A program of the tools. */
export const program = (name: string): string => toolFile(`.bin/${name}`);

/** A copy of an example, which finds the package by its name. Gives its folder. */
export function projectOf(example: string): string {
  const from = join(root, "examples/edge", example);
  const files = globSync("**/*.*", { cwd: from });
  return project(
    `edge-${example}`,
    Object.fromEntries(files.map((file) => [file, readFileSync(join(from, file), "utf8")])),
  );
}

export interface Running {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a server in a folder, and waits until it answers. */
export async function start(
  folder: string,
  command: string,
  args: (port: number) => readonly string[],
  { patience = 60_000, pause = 100 } = {},
): Promise<Running> {
  const port = await freePort();
  const env = {
    ...process.env,
    PORT: String(port),
    XDG_CONFIG_HOME: join(folder, ".config"),
    WRANGLER_SEND_METRICS: "false",
    CI: "1",
  };
  const child = spawn(command, args(port), { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const url = `http://127.0.0.1:${port}`;
  const end = performance.now() + patience;
  while (performance.now() < end && child.exitCode === null) {
    const answered = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return { url, pid: child.pid ?? 0, stop: () => stop(child) };
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  await stop(child);
  throw new Error(`${command}: did not answer in ${patience} ms\n${output}`);
}

/** The command that starts each example, as its README has it but for ports and offline use. */
export const servers = {
  node: { command: process.execPath, args: () => ["main.js"] },
  deno: {
    command: pinned("deno"),
    args: (port: number) => [
      "serve",
      "--allow-read",
      "--node-modules-dir=manual",
      `--port=${port}`,
      "--host=127.0.0.1",
      "main.js",
    ],
  },
  bun: { command: pinned("bun"), args: () => ["run", "main.js"] },
  cloudflare: {
    command: program("wrangler"),
    args: (port: number) => ["dev", "--ip=127.0.0.1", `--port=${port}`, "--inspector-port=0", "--var=DIAGNOSE:1"],
  },
} as const;

// Projects as users have them: a folder of examples/edge/ with the built package in its node_modules, and servers started in it.

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, stop } from "./processes.ts";

/** The folder whose package.json pins wrangler and its like. */
export const tools = join(root, "test/runtimes/edge");

/** How to get them where they are missing. */
export const noTools = existsSync(join(tools, "node_modules/.package-lock.json"))
  ? ""
  : "no test/runtimes/edge/node_modules: node scripts/setup.mjs test/runtimes/edge";

export const tool = (name: string): string => join(tools, "node_modules/.bin", name);

export interface Project {
  readonly folder: string;
  remove(): void;
}

/** A copy of an example, which finds the package by its name. */
export function projectOf(example: string): Project {
  const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-edge-"));
  cpSync(join(root, "examples/edge", example), folder, { recursive: true });
  for (const part of ["package.json", "dist"]) {
    cpSync(join(root, part), join(folder, "node_modules/dpo-kernels", part), { recursive: true });
  }
  // Tools that run in the folder look for themselves there.
  for (const name of ["wrangler", "esbuild"]) {
    const from = join(tools, "node_modules", name);
    if (existsSync(from)) symlinkSync(from, join(folder, "node_modules", name));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The command that starts each example, as its README has it but for ports and offline use. */
export const servers = {
  node: { command: process.execPath, args: () => ["main.js"] },
  deno: {
    command: join(root, "node_modules/.bin/deno"),
    args: (port: number) => [
      "serve",
      "--allow-read",
      "--node-modules-dir=manual",
      `--port=${port}`,
      "--host=127.0.0.1",
      "main.js",
    ],
  },
  bun: { command: join(root, "node_modules/.bin/bun"), args: () => ["run", "main.js"] },
  cloudflare: {
    command: tool("wrangler"),
    args: (port: number) => ["dev", "--ip=127.0.0.1", `--port=${port}`, "--inspector-port=0", "--var=DIAGNOSE:1"],
  },
} as const;

// Empty projects with the package as `npm pack` makes it, beside the tools that test/runtimes/tools pins.

import { execFile, execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, stop } from "./processes.ts";

/** Where the tools are; `node scripts/setup.mjs test/runtimes/tools` installs them. */
export const tools = join(root, "test/runtimes/tools");

const inTools = createRequire(join(tools, "package.json"));

/** How to get the tools where they are missing. */
export const noTools = existsSync(join(tools, "node_modules/.package-lock.json"))
  ? ""
  : "no test/runtimes/tools/node_modules: node scripts/setup.mjs test/runtimes/tools";

/** What a module of the tools exports. */
export const tool = async <T>(name: string): Promise<T> => import(pathToFileURL(inTools.resolve(name)).href);

export const toolFile = (path: string): string => join(tools, "node_modules", path);

/** The Node of this name in the tools' manifest. */
export const nodeOf = (name: string): string => toolFile(`${name}/bin/node`);

/** npm as it comes with the machine's Node: none of the tools that lie on the path of npm's scripts. */
const plainPath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
  .join(delimiter);

/** Where the tarball lies. Of this worker: another one packs at the same time. */
export const packFolder = join(tools, `build/packed-${process.env["VITEST_POOL_ID"] ?? 1}`);

let unpacked: string | undefined;

/** The folder of the package, as users get it; packed once. */
function packed(): string {
  if (unpacked) return unpacked;
  rmSync(packFolder, { recursive: true, force: true });
  mkdirSync(packFolder, { recursive: true });
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", packFolder];
  const env = { ...process.env, PATH: plainPath };
  const name = execFileSync("npm", args, { cwd: root, env, encoding: "utf8" }).trim().split("\n").at(-1) ?? "";
  execFileSync("tar", ["-xzf", join(packFolder, name), "-C", packFolder]);
  unpacked = join(packFolder, "package");
  return unpacked;
}

/** A project of its own: these files, the package, and test/runtimes/conformance.js beside them. Gives its folder. */
export function project(name: string, files: Record<string, string>): string {
  const folder = join(tools, "build", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(packed(), join(folder, "node_modules/dpo-kernels"), { recursive: true });
  const all = {
    "package.json": '{ "type": "module", "private": true }\n',
    "conformance.js": readFileSync(join(root, "test/runtimes/conformance.js"), "utf8"),
    ...files,
  };
  for (const [file, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

/** The code that a page of the documentation shows. */
export const blocksOf = (page: string): string[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = ""]) => code);

const quiet = {
  WRANGLER_SEND_METRICS: "false",
  NEXT_TELEMETRY_DISABLED: "1",
  PARCEL_WORKERS: "0",
  NO_COLOR: "1",
  CI: "true",
};

/** The output of a program in a project; a program of the tools, by its file, runs in the pinned Node. */
export function runIn(folder: string, [command = "", ...args]: readonly string[], patience = 180_000): Promise<string> {
  const [program, first] = /\.[cm]?js$/.test(command) ? [process.execPath, [command]] : [command, []];
  const limits = { cwd: folder, timeout: patience, killSignal: "SIGKILL", maxBuffer: 1 << 26 } as const;
  const env = { ...process.env, ...quiet, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}` };
  return new Promise((resolve, reject) => {
    execFile(program, [...first, ...args], { ...limits, env }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      reject(new Error(`${command} ${args.join(" ")}: ${error.message}\n${stdout}\n${stderr}`));
    });
  });
}

/** A port that is free now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** Runs a server of a project while `use` asks it; it answers at the address given. */
export async function whileServing<T>(
  folder: string,
  command: (port: number) => readonly string[],
  use: (url: string) => Promise<T>,
  patience = 90_000,
): Promise<T> {
  const port = await freePort();
  const [program = "", ...args] = command(port);
  const isScript = /\.[cm]?js$/.test(program);
  const env = { ...process.env, ...quiet, PORT: String(port) };
  const child = spawn(isScript ? process.execPath : program, isScript ? [program, ...args] : args, {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  child.stderr.on("data", (data) => {
    said += data;
  });
  const url = `http://localhost:${port}`;
  try {
    const end = performance.now() + patience;
    while (!(await fetch(url).catch(() => undefined))) {
      if (child.exitCode !== null || performance.now() > end) throw new Error(`${program}: no answer\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await use(url);
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${said}`, { cause });
  } finally {
    await stop(child);
  }
}

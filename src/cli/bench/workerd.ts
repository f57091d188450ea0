// A Worker in workerd, Cloudflare's runtime, from the package's files as they are: no bundler, no project of wrangler's.

import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { calibrationModules } from "../../bench/calibrate.ts";
import { remove, type Started, startProgram, temporaryFolder, versionOf } from "./processes.ts";

/** The module that answers requests. */
const MAIN = "bench-workerd.js";

/** Lets the run reach the command, which other Workers may not: it listens on this machine. */
const network = `(name = "internet", network = (allow = ["public", "private", "local"]))`;

const configOf = (modules: readonly string[]): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), ${network}],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (modules = [${modules.join(", ")}], compatibilityDate = "2025-10-01");
`;

/** Starts it, and has it run for this address. */
export async function startWorkerd(program: string, dist: string, address: string): Promise<Started> {
  const folder = temporaryFolder();
  const version = await versionOf(program);
  writeFileSync(join(folder, "config.capnp"), configOf(modulesOf(dist, folder)));
  const worker = startProgram(program, ["serve", join(folder, "config.capnp"), "--control-fd=1"]);
  const stop = async (): Promise<void> => {
    await worker.stop();
    remove(folder);
  };
  try {
    const port = await Promise.race([portOf(worker.output), worker.ended]);
    // Its answer comes when the run has ended, and has been reported otherwise; unlike fetch, this waits as long as it takes.
    get(`http://127.0.0.1:${port}/?run=${encodeURIComponent(address)}`).on("error", () => {});
  } catch (error) {
    await stop();
    throw error;
  }
  return { version, ended: worker.ended, stop };
}

/** Copies the package's files into the folder, and gives them as modules of a configuration. */
function modulesOf(dist: string, folder: string): string[] {
  const files = readdirSync(dist).filter((file) => /\.(js|wasm)$/.test(file) && file !== MAIN && file !== "cli.js");
  for (const file of [MAIN, ...files]) copyFileSync(join(dist, file), join(folder, file));
  const loops = Object.entries(calibrationModules).map(([kind, code]) => {
    const file = `calibration-${kind}.wasm`;
    writeFileSync(join(folder, file), Buffer.from(code, "base64"));
    return file;
  });
  // The first one is the Worker.
  return [MAIN, ...files, ...loops].map(
    (file) => `(name = "${file}", ${file.endsWith(".js") ? "esModule" : "wasm"} = embed "${file}")`,
  );
}

/** It says on its control stream where it listens. */
function portOf(output: NodeJS.ReadableStream): Promise<number> {
  return new Promise((resolve) => {
    let said = "";
    output.on("data", (text) => {
      said += text;
      const [, port] = /"event":\s*"listen".*"port":\s*(\d+)/.exec(said) ?? [];
      if (port !== undefined) resolve(Number(port));
    });
  });
}

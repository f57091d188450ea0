// The Worker of examples/edge/cloudflare as wrangler bundles it, in workerd itself, without wrangler's proxies before it.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { program, projectOf, type Running, start } from "./edge-project.ts";

export interface Bundled {
  readonly folder: string;
  /** Of the code and the module, as they are uploaded. */
  readonly gzipBytes: number;
}

/** What `wrangler deploy` would upload. */
export function bundleWorker(): Bundled {
  const folder = projectOf("cloudflare");
  const env = {
    ...process.env,
    CI: "1",
    WRANGLER_SEND_METRICS: "false",
    XDG_CONFIG_HOME: join(folder, ".config"),
  };
  const args = ["deploy", "--dry-run", "--outdir=out", "--minify"];
  execFileSync(program("wrangler"), args, { cwd: folder, env, stdio: "pipe" });
  const files = readdirSync(join(folder, "out")).filter((name) => /\.(js|wasm)$/.test(name));
  const bytes = files.map((name) => gzipSync(readFileSync(join(folder, "out", name)), { level: 9 }).length);
  const modules = files.map((name) =>
    name.endsWith(".js")
      ? `(name = "${name}", esModule = embed "out/${name}")`
      : `(name = "./${name}", wasm = embed "out/${name}")`,
  );
  // The first module is the Worker.
  modules.sort((a) => (a.includes("esModule") ? -1 : 1));
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", http = (), service = "main")]
);
const worker :Workerd.Worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-11-01");
`,
  );
  return { folder, gzipBytes: bytes.reduce((sum, size) => sum + size, 0) };
}

/** Starts it, and asks every `pause` milliseconds whether it answers. */
export const startWorkerd = ({ folder }: Bundled, pause = 100): Promise<Running> => {
  const args = (port: number): string[] => ["serve", "config.capnp", `--socket-addr=http=127.0.0.1:${port}`];
  return start(folder, program("workerd"), args, { pause });
};

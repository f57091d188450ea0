// The Worker of examples/edge/cloudflare as wrangler bundles it, in workerd itself, without wrangler's proxies before it.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Project, projectOf, type Running, start, tool } from "./edge-project.ts";

export interface Bundled {
  readonly project: Project;
  /** Of the code and the module, as they are uploaded. */
  readonly gzipBytes: number;
}

/** What `wrangler deploy` would upload. */
export function bundleWorker(): Bundled {
  const project = projectOf("cloudflare");
  const env = {
    ...process.env,
    CI: "1",
    WRANGLER_SEND_METRICS: "false",
    XDG_CONFIG_HOME: join(project.folder, ".config"),
  };
  const args = ["deploy", "--dry-run", "--outdir=out", "--minify"];
  execFileSync(tool("wrangler"), args, { cwd: project.folder, env, stdio: "pipe" });
  const files = readdirSync(join(project.folder, "out")).filter((name) => /\.(js|wasm)$/.test(name));
  const bytes = files.map((name) => gzipSync(readFileSync(join(project.folder, "out", name)), { level: 9 }).length);
  const modules = files.map((name) =>
    name.endsWith(".js")
      ? `(name = "${name}", esModule = embed "out/${name}")`
      : `(name = "./${name}", wasm = embed "out/${name}")`,
  );
  // The first module is the Worker.
  modules.sort((a) => (a.includes("esModule") ? -1 : 1));
  writeFileSync(
    join(project.folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", http = (), service = "main")]
);
const worker :Workerd.Worker = (modules = [${modules.join(", ")}], compatibilityDate = "2026-11-01");
`,
  );
  return { project, gzipBytes: bytes.reduce((sum, size) => sum + size, 0) };
}

/** Starts it, and asks every `pause` milliseconds whether it answers. */
export const startWorkerd = ({ project }: Bundled, pause = 100): Promise<Running> => {
  const args = (port: number): string[] => ["serve", "config.capnp", `--socket-addr=http=127.0.0.1:${port}`];
  return start(project.folder, tool("workerd"), args, { pause });
};

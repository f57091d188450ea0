// The server of a benchmark: the page, the package and the peers that it measures for browsers, and for every runtime a place to
// ask what to run and to say what came of it.

import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Order, Report } from "../../bench/remote.ts";
import type { Peers } from "./find-peers.ts";

/** A run elsewhere that this server waits for. */
export interface Waiting {
  readonly order: Order;
  report(report: Report): void;
}

export interface BenchServer {
  readonly port: number;
  /** Waits for a run; gives the address it is to be told, `drop` ends the waiting. */
  wait(waiting: Waiting): { readonly token: string; readonly address: string; drop(): void };
  /** The page, which runs at once, or when its button is clicked. */
  page(token: string, when: "at once" | "by hand"): string;
  close(): Promise<void>;
}

/** What pages see of this machine. */
export interface Site {
  /** The package's built files. */
  readonly dist: string;
  /** By the names of their packages. */
  readonly peers: Peers;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".wasm": "application/wasm",
};

/** Results of whole runs are some hundred kilobytes. */
const LONGEST_BODY = 1 << 26;

export async function startServer(site: Site, port = 0): Promise<BenchServer> {
  const runs = new Map<string, Waiting>();
  const importMap = importMapOf(site);
  const headers = headersOf(importMap);
  const server = createServer((request, response) => {
    answer(request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const own = `localhost:${(server.address() as AddressInfo).port}`;
    const send = (status: number, type: string, body: string | Uint8Array = ""): void => {
      response.writeHead(status, { ...headers, "Content-Type": type }).end(body);
    };
    // A name of someone else's that leads here, or a page of theirs that posts here, gets nothing.
    const origin = request.headers.origin ?? `http://${own}`;
    if (request.headers.host !== own || origin !== `http://${own}`)
      return send(403, "text/plain", "not for this origin");
    const { pathname } = new URL(request.url ?? "/", `http://${own}`);
    const [, token = "", what] = /^\/runs\/([^/]+)\/(order|report)$/.exec(pathname) ?? [];
    if (what !== undefined) {
      // A run that computes for seconds would find a connection that it kept closed, and no request may be sent twice.
      response.setHeader("Connection", "close");
      const waiting = runs.get(token);
      if (!waiting) return send(404, "text/plain", "no such run");
      if (what === "order") return send(200, "application/json", JSON.stringify(waiting.order));
      waiting.report(JSON.parse(await bodyOf(request)) as Report);
      return send(200, "text/plain");
    }
    if (pathname === "/nothing.js") return send(200, types[".js"] as string, "export default {};");
    const file = fileOf(site, pathname);
    const bytes = file && (await readFile(file).catch(() => undefined));
    if (!file || !bytes) return send(404, "text/plain", "not found");
    const isPage = pathname === "/bench.html";
    send(
      200,
      types[extname(file)] ?? "application/octet-stream",
      isPage ? withImportMap(String(bytes), importMap) : bytes,
    );
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  // By this name it is a secure context, which isolation needs.
  const origin = `http://localhost:${taken}`;
  return {
    port: taken,
    wait(waiting) {
      const token = randomBytes(16).toString("hex");
      runs.set(token, waiting);
      return { token, address: `${origin}/runs/${token}`, drop: () => runs.delete(token) };
    },
    page: (token, when) => `${origin}/bench.html?${when === "at once" ? "run" : "save"}=${token}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Isolated, for shared memory and a fine clock; as strict as the peers allow. */
function headersOf(importMap: string): Record<string, string> {
  const hash = createHash("sha256").update(importMap).digest("base64");
  const policy = [
    "default-src 'self'",
    // Peers make workers of Blobs, and modules of them in those.
    `script-src 'self' blob: 'wasm-unsafe-eval' 'sha256-${hash}'`,
    "worker-src 'self' blob:",
    "connect-src 'self' blob: data:",
  ];
  return {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": policy.join("; "),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  };
}

/** Modules of Node that peers import and in a page do without. */
const absent = ["fs", "os", "path", "perf_hooks"];

function importMapOf({ peers }: Site): string {
  const imports: Record<string, string> = {};
  for (const name of absent) imports[name] = "/nothing.js";
  for (const [name, { pageModule }] of peers) if (pageModule) imports[name] = `/peers/${name}/${pageModule}`;
  return JSON.stringify({ imports });
}

/** It has to stand before the first module. */
const withImportMap = (page: string, importMap: string): string =>
  page.replace("<script", `<script type="importmap">${importMap}</script>\n<script`);

/** The file that a path names. URL has resolved every "..": nothing outside the folders can be named. */
function fileOf({ dist, peers }: Site, pathname: string): string | undefined {
  const path = decodeURIComponent(pathname);
  if (/\.\.|\\|\0/.test(path)) return undefined;
  const [, name = "", rest] = /^\/peers\/((?:@[^/]+\/)?[^/]+)\/(.+)$/.exec(path) ?? [];
  if (rest === undefined) return join(dist, path);
  const peer = peers.get(name);
  return peer && join(peer.folder, rest);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_BODY) throw new Error("too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

// The working folder over HTTP, for pages: correct MIME types, the headers that a test asks for, and a place to send a report to.

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

export type Headers = Record<string, string>;

export const isolation: Headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export const policy = (text: string): Headers => ({ "Content-Security-Policy": text });

const types: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

export interface Server {
  /** The address of a page of this folder. */
  url(path: string): string;
  /** What the page sends next; rejects when nothing comes in time. */
  report(milliseconds: number): Promise<unknown>;
  close(): Promise<void>;
}

/** Serves `root`, by default the working folder of the project, with these headers on every answer, or those of its path. */
export async function serve(
  headers: Headers | ((path: string) => Headers) = {},
  root = new URL("../../../", import.meta.url),
): Promise<Server> {
  let deliver: (report: unknown) => void = () => {};
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "POST") {
      const report: unknown = JSON.parse(await text(request));
      response.writeHead(204).end();
      return deliver(report);
    }
    // URL has resolved every "..": nothing outside the folder can be named.
    const file = fileURLToPath(new URL(`.${pathname}`, root));
    const body = await readFile(file).catch(() => undefined);
    const type = types[extname(file)] ?? "application/octet-stream";
    response.writeHead(body ? 200 : 404, {
      ...(typeof headers === "function" ? headers(pathname) : headers),
      "Content-Type": `${body ? type : "text/plain"}; charset=utf-8`,
    });
    response.end(body ?? "not found");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    // By this name it is a secure context, which isolation needs.
    url: (path) => `http://localhost:${port}/${path}`,
    report: (milliseconds) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`page: no report within ${milliseconds} ms`)), milliseconds);
        deliver = (report) => {
          clearTimeout(timer);
          resolve(report);
        };
      }),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

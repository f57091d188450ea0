// Next.js, by both of its bundlers: a page's own code, a route in Node and a route at the edge.

import { expect } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inChromium } from "./support/browsers.ts";
import { conforming } from "./support/conformance.ts";
import { row } from "./support/matrix.ts";
import { blocksOf, noTools, project, runIn, toolFile, tools, whileServing } from "./support/projects.ts";

const next = toolFile("next/dist/bin/next");

const report = (depth: string): string => `
  import { createBackend, createJs, createWasm } from "dpo-kernels";
  import { createPool } from "dpo-kernels/pool";
  import { conformance, errorOf } from "${depth}conformance.js";
  async function report() {
    return Response.json({
      js: await errorOf(() => conformance(createJs)),
      wasm: await errorOf(() => conformance(createWasm)),
      pairs: await errorOf(() => conformance(createBackend)),
      pool: await errorOf(() => conformance(() => createPool({ workers: 2 }))),
    });
  }
`;

// What a newcomer writes first, which used to break the build by itself.
const first = `
  import { createBackend } from "dpo-kernels";
  async function report() {
    const { name, reason } = await createBackend({ for: "logits" });
    return Response.json({ name, reason });
  }
`;

const route = (code: string, runtime: "nodejs" | "edge"): string => `${code}
  export const runtime = "${runtime}";
  export const dynamic = "force-dynamic";
  export const GET = report;
`;

// Next.js 16.4.6 built by webpack fails on any route handler at the edge, without this package too; API routes it builds.
const apiRoute = (code: string): string => `${code}
  export const config = { runtime: "edge" };
  export default report;
`;

// As docs/edge.md has it.
const [, shown = ""] = blocksOf("docs/edge.md");

const page = `
  "use client";
  import { createWasm } from "dpo-kernels";
  import { createPool } from "dpo-kernels/pool";
  import { useEffect } from "react";
  import { conformance, errorOf } from "../conformance.js";
  export default function Page() {
        useEffect(() => {
      const run = async () => ({
        wasm: await errorOf(() => conformance(createWasm)),
        pool: await errorOf(() => conformance(() => createPool({ workers: 2 }))),
      });
      run().then((found) => {
        document.body.textContent = JSON.stringify(found);
      });
    }, []);
    return <main>waiting</main>;
  }
`;

const layout = `
  export default function Layout({ children }) {
    return <html lang="en"><body>{children}</body></html>;
  }
`;

const files = {
  "app/layout.jsx": layout,
  "app/page.jsx": page,
  "app/node/route.js": route(report("../../"), "nodejs"),
  "next.config.mjs": `export default { turbopack: { root: ${JSON.stringify(tools)} }, outputFileTracingRoot: ${JSON.stringify(tools)} };\n`,
};

const edge: Record<string, Record<string, string>> = {
  turbopack: {
    "app/api/edge/route.js": route(report("../../../"), "edge"),
    "app/api/first/route.js": route(first, "edge"),
    "app/api/loss/route.js": shown,
  },
  webpack: { "pages/api/edge.js": apiRoute(report("../../")), "pages/api/first.js": apiRoute(first) },
};

const unavailable = expect.objectContaining({ name: "BackendError", code: "unavailable" });

suite(
  { ...inChromium, missing: inChromium.missing || noTools },
  (_visit, _show, showAt) => {
    for (const bundler of Object.keys(edge)) {
      const title = `Next.js 16, ${bundler}`;
      row(
        title,
        `${title}: client, Node and edge`,
        async () => {
          const folder = project(`next-${bundler}`, { ...files, ...edge[bundler] });
          await runIn(folder, [process.execPath, next, "build", `--${bundler}`], 300_000);
          await whileServing(
            folder,
            (port) => [process.execPath, next, "start", "--port", String(port)],
            async (url) => {
              if (bundler === "turbopack") {
                const body = JSON.stringify({ policyChosen: [-3], policyRejected: [-3] });
                const response = await fetch(`${url}/api/loss`, { method: "POST", body });
                expect(await response.json()).toEqual({ loss: expect.closeTo(Math.LN2, 6), backend: "wasm" });
              }
              const answer = async (path: string): Promise<unknown> => (await fetch(`${url}/${path}`)).json();
              expect(await answer("api/first")).toEqual({ name: "wasm", reason: "WebAssembly in this thread: SIMD" });
              expect(await answer("api/edge")).toEqual({
                js: conforming("js"),
                wasm: conforming("wasm", /SIMD$/),
                pairs: conforming("wasm"),
                pool: unavailable,
              });
              expect(await answer("node")).toEqual({
                js: conforming("js"),
                wasm: conforming("wasm"),
                pairs: conforming("wasm"),
                pool: conforming("pool"),
              });
              expect(JSON.parse(await showAt(url, /^\{.*\}$/s))).toEqual({
                wasm: conforming("wasm"),
                pool: conforming("pool"),
              });
            },
          );
          return { pool: "works; at the edge it refuses at creation" };
        },
        600_000,
      );
    }
  },
  60_000,
);

// The examples in examples/edge/, each started on its platform and called; and the clients that their README shows.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/safetensors/read.ts";
import { writeSafetensors } from "../../src/safetensors/write.ts";
import { noPython, python } from "../support/python.ts";
import { whereThereIs } from "../support/where-there-is.ts";
import { program, projectOf, type Running, servers, start } from "./support/edge-project.ts";
import { output, root } from "./support/processes.ts";
import { noTools, tool } from "./support/projects.ts";

const values = {
  policyChosen: [-12.1, -30.5],
  policyRejected: [-14.8, -28.9],
  referenceChosen: [-12.9, -30.1],
  referenceRejected: [-14.2, -29.6],
};

// The mean of softplus(-0.15) and softplus(0.11): log-ratios of 1.4, and of -1.1, times 0.1 and so on.
const LOSS = 0.6876270473;

type Send = (request: Request) => Promise<Response>;

const json = { "content-type": "application/json" };
const post = (path: string, body: BodyInit, headers: HeadersInit): Request =>
  new Request(`http://localhost${path}`, { method: "POST", body, headers });

/** What every one of them does. */
function serves(send: () => Send): void {
  it("says that it runs, on SIMD", async () => {
    const response = await send()(new Request("http://localhost/health"));
    expect(await response.json()).toMatchObject({
      status: "ok",
      backend: "wasm",
      reason: expect.stringMatching(/SIMD/),
    });
  });

  it("computes a loss from JSON", async () => {
    const response = await send()(post("/v1/pair-loss", JSON.stringify({ ...values, beta: 0.1 }), json));
    expect(response.status).toBe(200);
    const { loss, gradChosen } = await response.json();
    expect(loss).toBeCloseTo(LOSS, 6);
    expect(gradChosen).toEqual([expect.closeTo(-0.0232529, 6), expect.closeTo(-0.0263736, 6)]);
  });

  it("computes a loss and gradients of logits from safetensors", async () => {
    const logits = { dtype: "F16", shape: [1, 6], data: Uint16Array.of(0x3c00, 0, 0, 0, 0, 0x3c00) } as const;
    const file = writeSafetensors(
      {
        "tokens.offsets": { shape: [3], data: Int32Array.of(0, 1, 2) },
        "tokens.targets": { shape: [2], data: Int32Array.of(0, 1) },
        "reference.logps": { shape: [2], data: Float32Array.of(-1, -1) },
        logits: { ...logits, shape: [2, 3] },
      },
      { "tokens.pairs": "1", vocab: "3", lossType: "ipo" },
    );
    const response = await send()(post("/v1/logits-loss", file, { "content-type": "application/octet-stream" }));
    expect(response.status).toBe(200);
    const { tensors } = readSafetensors(await response.arrayBuffer());
    // e / (e + 2) and 1 / (e + 2): log-probs of -0.551445 and -1.551445.
    const logps = tensors["logps"]?.data as Float64Array;
    expect([...logps]).toEqual([expect.closeTo(-0.551445, 5), expect.closeTo(-1.551445, 5)]);
    expect(tensors["gradLogits"]).toMatchObject({ dtype: "F16", shape: [2, 3] });
  });

  it("refuses what is wrong, with the field", async () => {
    const response = await send()(post("/v1/pair-loss", JSON.stringify({ ...values, policyChosen: ["NaN"] }), json));
    expect([response.status, response.headers.get("content-type")]).toEqual([422, "application/problem+json"]);
    expect(await response.json()).toMatchObject({ code: "wrong-kind", field: "policyChosen[0]" });
  });

  it("knows no other path", async () => {
    expect((await send()(new Request("http://localhost/nothing"))).status).toBe(404);
  });
}

/** An example that is a server of its own. */
function served(
  example: keyof typeof servers,
  missing: string,
  more: (send: () => Send, url: () => string) => void = () => {},
): void {
  whereThereIs(`examples/edge/${example}`, missing, () => {
    let running: Running | undefined;
    beforeAll(async () => {
      running = await start(projectOf(example), servers[example].command, servers[example].args);
    }, 90_000);
    afterAll(() => running?.stop());
    const url = (): string => running?.url ?? "";
    const send = (): Send => async (request) => {
      const { pathname } = new URL(request.url);
      const body = request.body ? await request.arrayBuffer() : null;
      return fetch(`${url()}${pathname}`, { method: request.method, headers: request.headers, body });
    };
    serves(send);
    more(send, url);
  });
}

served("node", "", (_send, url) => {
  it("client.js", async () => {
    const printed = await output(process.execPath, [join(root, "examples/edge/client.js"), url()]);
    expect(Number.parseFloat(printed)).toBeCloseTo(LOSS, 6);
  });

  whereThereIs("Python with requests and safetensors", noPython, () => {
    it("client.py", async () => {
      const printed = await output(python, [join(root, "examples/edge/client.py"), url()]);
      expect(Number.parseFloat(printed)).toBeCloseTo(LOSS, 6);
    });
  });
});
served("deno", "");
served("bun", "");
served("cloudflare", noTools, (send) => {
  it("diagnoses itself", async () => {
    const response = await send()(new Request("http://localhost/diagnose"));
    const report = await response.json();
    expect(report).toMatchObject({
      runtime: "Cloudflare Workers",
      chosen: "wasm",
      noCompile: expect.stringMatching(/disallowed by embedder/),
    });
    const running = report.backends.filter(({ runs }: { runs: boolean }) => runs);
    expect(running.map(({ backend }: { backend: string }) => backend)).toEqual(["wasm, SIMD", "js"]);
  });
});

/** Bundles an example's file as its platform does. */
function bundle(folder: string, file: string, args: readonly string[]): string {
  const outfile = join(folder, "out/bundle.mjs");
  execFileSync(program("esbuild"), [file, "--bundle", `--outfile=${outfile}`, "--log-level=error", ...args], {
    cwd: folder,
  });
  return outfile;
}

whereThereIs("examples/edge/vercel", noTools, () => {
  let call: Send = async () => new Response();
  beforeAll(async () => {
    const args = [
      "--format=iife",
      "--global-name=example",
      "--conditions=edge-light",
      "--external:./kernels.wasm?module",
    ];
    const code = readFileSync(bundle(projectOf("vercel"), "api/service.js", args), "utf8");
    const { EdgeVM } = await tool<{ EdgeVM: new () => EdgeVm }>("@edge-runtime/vm");
    const edge = new EdgeVM();
    // Vercel makes a module of the file, outside of the place where the function runs.
    const module = await WebAssembly.compile(readFileSync(join(root, "dist/kernels.wasm")));
    edge.context["require"] = () => module;
    edge.evaluate(`${code}; globalThis.handler = example.default; globalThis.config = example.config`);
    expect(edge.evaluate("globalThis.config.runtime")).toBe("edge");
    call = async (request) => {
      const { Request: EdgeRequest } = edge.context;
      const body = request.body ? new Uint8Array(await request.arrayBuffer()) : null;
      const given = new EdgeRequest(request.url, { method: request.method, headers: [...request.headers], body });
      const response: Response = await edge.context.handler(given);
      return new Response(await response.arrayBuffer(), { status: response.status, headers: [...response.headers] });
    };
  });
  serves(() => call);

  it("every path leads to it", () => {
    const { rewrites } = JSON.parse(readFileSync(join(root, "examples/edge/vercel/vercel.json"), "utf8"));
    expect(rewrites).toEqual([{ source: "/(.*)", destination: "/api/service" }]);
  });
});

whereThereIs("examples/edge/lambda", noTools, () => {
  let handler: (event: object) => Promise<LambdaAnswer> = async () => ({
    statusCode: 0,
    headers: {},
    body: "",
    isBase64Encoded: false,
  });
  beforeAll(async () => {
    handler = (
      await import(pathToFileURL(bundle(projectOf("lambda"), "handler.js", ["--platform=node", "--format=esm"])).href)
    ).handler;
  });
  serves(() => async (request) => {
    const body = Buffer.from(await request.arrayBuffer());
    const {
      statusCode,
      headers,
      body: text,
      isBase64Encoded,
    } = await handler({
      rawPath: new URL(request.url).pathname,
      rawQueryString: "",
      headers: Object.fromEntries(request.headers),
      requestContext: { domainName: "x.lambda-url.eu-west-1.on.aws", http: { method: request.method } },
      ...(body.length > 0 ? { body: body.toString("base64"), isBase64Encoded: true } : { isBase64Encoded: false }),
    });
    return new Response(Buffer.from(text, isBase64Encoded ? "base64" : "utf8"), { status: statusCode, headers });
  });
});

/** A place as Vercel's edge functions have it. */
interface EdgeVm {
  readonly context: Record<string, unknown> & {
    Request: typeof Request;
    handler: (request: Request) => Promise<Response>;
  };
  evaluate(code: string): unknown;
}

interface LambdaAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded: boolean;
}

describe("examples/edge/README.md", () => {
  it("has every example, and three commands each", () => {
    const text = readFileSync(join(root, "examples/edge/README.md"), "utf8");
    const rows = [...text.matchAll(/^\| \[[^\]]+\]\((\w+)\/[\w./-]+\) \| `[^|]+` \| `[^|]+` \| .*`[^|]+`.* \|$/gm)];
    expect(rows.map(([, folder]) => folder)).toEqual(["cloudflare", "vercel", "deno", "bun", "node", "lambda"]);
  });
});

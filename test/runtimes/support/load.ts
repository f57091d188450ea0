// Load on a service: valid requests, whose numbers are checked, and hostile ones, mixed, several at a time.

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createJs } from "../../../src/index.ts";
import { readSafetensors } from "../../../src/safetensors/read.ts";
import { writeSafetensors } from "../../../src/safetensors/write.ts";

/** What came of a load. */
export interface LoadReport {
  requests: number;
  /** How many answers had each status; those of callers who left have none. */
  readonly statuses: Record<string, number>;
  /** What should not have been, in words. */
  readonly faults: string[];
}

type Try = (url: string, report: LoadReport) => Promise<void>;

const PAIRS = "/v1/pair-loss";
const json = { "content-type": "application/json" };
const binary = { "content-type": "application/octet-stream" };

/** Log-probs of n pairs, the same in each run. */
export function pairsOf(n: number, seed: number): Record<string, Float32Array> {
  const wave = (k: number): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => -20 + 15 * Math.sin(seed + k + i * 1.7));
  return { policyChosen: wave(0), policyRejected: wave(1), referenceChosen: wave(2), referenceRejected: wave(3) };
}

export const asJson = (pairs: Record<string, Float32Array>, options: object = {}): string =>
  JSON.stringify({
    ...Object.fromEntries(Object.entries(pairs).map(([name, array]) => [name, Array.from(array)])),
    ...options,
  });

export const asTensors = (pairs: Record<string, Float32Array>): Uint8Array<ArrayBuffer> =>
  writeSafetensors(
    Object.fromEntries(Object.entries(pairs).map(([name, data]) => [name, { shape: [data.length], data }])),
  );

const js = createJs();
const samples = [1, 8, 100].map((n) => {
  const pairs = pairsOf(n, n);
  const { loss, gradChosen } = js.pairLoss(pairs as unknown as Parameters<typeof js.pairLoss>[0]);
  return { text: asJson(pairs), file: asTensors(pairs), loss, grad: gradChosen[0] as number };
});

const isNear = (got: unknown, expected: number): boolean =>
  Math.abs(Number(got) - expected) <= 1e-5 * Math.max(1e-3, Math.abs(expected));

function judge(report: LoadReport, what: string, response: Response, expected: number): void {
  report.statuses[response.status] = (report.statuses[response.status] ?? 0) + 1;
  if (response.status !== expected) report.faults.push(`${what}: expected ${expected}, got ${response.status}`);
}

const valid =
  (at: number): Try =>
  async (url, report) => {
    const { text, loss, grad } = samples[at % samples.length] as (typeof samples)[number];
    const response = await fetch(`${url}${PAIRS}`, { method: "POST", headers: json, body: text });
    judge(report, "pairs as JSON", response, 200);
    const got = (await response.json()) as { loss: number; gradChosen: number[] };
    if (!isNear(got.loss, loss) || !isNear(got.gradChosen[0], grad)) report.faults.push(`wrong number: ${got.loss}`);
  };

const validTensors =
  (at: number): Try =>
  async (url, report) => {
    const { file, loss, grad } = samples[at % samples.length] as (typeof samples)[number];
    const response = await fetch(`${url}${PAIRS}`, { method: "POST", headers: binary, body: file });
    judge(report, "pairs as tensors", response, 200);
    const { tensors } = readSafetensors(await response.arrayBuffer());
    if (!isNear(tensors["loss"]?.data[0], loss) || !isNear(tensors["gradChosen"]?.data[0], grad)) {
      report.faults.push("wrong number in tensors");
    }
  };

const hostile =
  (what: string, expected: number, body: BodyInit, headers: HeadersInit = json): Try =>
  async (url, report) => {
    const response = await fetch(`${url}${PAIRS}`, { method: "POST", headers, body });
    judge(report, what, response, expected);
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail !== "string") report.faults.push(`${what}: no words`);
  };

/** One that is answered before it is sent: some servers close the connection then, and the answer is lost. */
const huge: Try = async (url, report) => {
  try {
    await hostile("a huge body", 413, " ".repeat(9 << 20))(url, report);
  } catch {
    report.statuses["closed"] = (report.statuses["closed"] ?? 0) + 1;
  }
};

/** A caller who leaves: before the answer, or in the middle of a body. */
const aborted =
  (millis: number): Try =>
  async (url, report) => {
    const controller = new AbortController();
    const body = asJson(pairsOf(2000, 5));
    const request = fetch(`${url}${PAIRS}`, { method: "POST", headers: json, body, signal: controller.signal });
    setTimeout(() => controller.abort(), millis);
    await request.then((response) => response.arrayBuffer()).catch(() => {});
    report.statuses["left"] = (report.statuses["left"] ?? 0) + 1;
  };

/** A body that comes in drips, whole at last or never. */
const slow =
  (isWhole: boolean): Try =>
  (url, report) =>
    new Promise((resolve) => {
      const { hostname, port } = new URL(url);
      const text = (samples[1] as (typeof samples)[number]).text;
      const head = `POST ${PAIRS} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n`;
      const socket = connect(Number(port), hostname);
      let answer = "";
      socket.setEncoding("utf8").on("data", (part) => {
        answer += part;
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        const [, status = "left"] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
        report.statuses[status] = (report.statuses[status] ?? 0) + 1;
        if (isWhole && status !== "200") report.faults.push(`a slow body: expected 200, got ${status}`);
        resolve();
      });
      socket.write(head);
      const quarter = Math.ceil(text.length / 4);
      const drip = (k: number): void => {
        if (socket.destroyed) return;
        if (k === 4) return;
        if (!isWhole && k === 2) return void socket.destroy();
        socket.write(text.slice(k * quarter, (k + 1) * quarter));
        setTimeout(drip, 20, k + 1);
      };
      drip(0);
    });

function lyingFile(): Uint8Array<ArrayBuffer> {
  const file = (samples[1] as (typeof samples)[number]).file.slice();
  new DataView(file.buffer).setBigUint64(0, 2n ** 63n, true);
  return file;
}

const { text, file } = samples[1] as (typeof samples)[number];
const mix: readonly Try[] = [
  ...[valid(0), valid(1), valid(2), validTensors(0), validTensors(1), validTensors(2)],
  ...[valid(1), validTensors(1), valid(2), validTensors(2)],
  hostile("half a text", 400, text.slice(0, -20)),
  hostile("NaN as text", 422, text.replace(/\[-?[\d.]+/, '["NaN"')),
  hostile("a text for a list", 422, text.replace(/\[[^\]]*\]/, '"x"')),
  hostile("__proto__", 422, text.replace("{", '{"__proto__":{"beta":1},')),
  hostile("nesting", 413, "[".repeat(200_000)),
  huge,
  hostile("many small lists", 413, `{"policyChosen":[${"[],".repeat(300_000)}[]]}`),
  hostile("half a file", 422, file.slice(0, -3), binary),
  hostile("a header that lies", 422, lyingFile(), binary),
  hostile("another type", 415, text, { "content-type": "text/html" }),
  ...[aborted(0), aborted(3), slow(true), slow(false)],
];

/** Runs until `isOver`, so many requests at a time. */
export async function load(url: string, isOver: (requests: number) => boolean, atOnce = 8): Promise<LoadReport> {
  const report: LoadReport = { requests: 0, statuses: {}, faults: [] };
  const caller = async (): Promise<void> => {
    while (!isOver(report.requests)) {
      const at = report.requests++ % mix.length;
      const next = mix[at] as Try;
      try {
        await next(url, report);
      } catch (error) {
        const { cause } = error as Error;
        report.faults.push(`kind ${at}: ${error}, ${cause}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return report;
}

/** Bytes of memory that a process and its children hold (Linux). */
export function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  const own = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  return children.reduce((sum, child) => sum + memoryOf(Number(child)), own);
}

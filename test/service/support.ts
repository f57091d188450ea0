// Requests to a service, and what it answers.

import { readSafetensors, type SafetensorsFile } from "../../src/safetensors/read.ts";
import { type TensorToWrite, writeSafetensors } from "../../src/safetensors/write.ts";
import { createService, type Service } from "../../src/service.ts";

export const service = createService();

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
}

export const requestOf = (path: string, init?: RequestInit): Request => new Request(`http://localhost${path}`, init);

/** A request whose body comes piece by piece; Node wants to be told. */
export const streamOf = (path: string, body: ReadableStream, signal: AbortSignal | null = null): Request => {
  const init = { method: "POST", body, headers: { "content-type": "application/json" }, duplex: "half", signal };
  return requestOf(path, init);
};

export async function answerOf(response: Promise<Response> | Response): Promise<Answer> {
  const { status, headers, ...rest } = await response;
  const text = await (await response).text();
  return { ...rest, status, headers, json: /json/.test(headers.get("content-type") ?? "") ? JSON.parse(text) : {} };
}

/** Posts JSON, or a text as it is. */
export function post(path: string, body: unknown, to: Service = service, headers: HeadersInit = {}): Promise<Answer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const init = { method: "POST", body: text, headers: { "content-type": "application/json", ...headers } };
  return answerOf(to.fetch(requestOf(path, init)));
}

export interface TensorAnswer extends SafetensorsFile {
  readonly status: number;
}

/** Posts safetensors, and reads what comes back as such. */
export async function postTensors(
  path: string,
  tensors: Record<string, TensorToWrite>,
  metadata: Record<string, string>,
): Promise<TensorAnswer> {
  const headers = { "content-type": "application/octet-stream" };
  const init = { method: "POST", body: writeSafetensors(tensors, metadata), headers };
  const response = await service.fetch(requestOf(path, init));
  if (!response.ok) throw new Error(await response.text());
  return { status: response.status, ...readSafetensors(await response.arrayBuffer()) };
}

export const pairs = {
  policyChosen: [-12.1, -30.5, -7],
  policyRejected: [-14.8, -28.9, -8.25],
  referenceChosen: [-12.9, -30.1, -6.5],
  referenceRejected: [-14.2, -29.6, -8.5],
  chosenLengths: [10, 24, 5],
  rejectedLengths: [12, 20, 6],
};

export const rows = {
  policy: [-12.1, -30.5, -7, -9],
  reference: [-12.9, -30.1, -6.5, -9.5],
  desirable: [1, 0, 1, 0],
};

const wave = (n: number, step: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.fround(Math.sin(step * i)));

export const tokens = { pairs: 1, length: 3, inputIds: [1, 2, 3, 1, 3, 2], completionMask: [0, 1, 1, 0, 1, 1] };
export const logitsBatch = { tokens, vocab: 4, logits: wave(24, 1), reference: { logps: [-2.5, -3] } };
export const linearBatch = {
  tokens,
  ...{ vocab: 4, hiddenSize: 2, hidden: wave(12, 2), weight: wave(8, 3), bias: wave(4, 5) },
  reference: { hidden: wave(12, 7), weight: wave(8, 4) },
};

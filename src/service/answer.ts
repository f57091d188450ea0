// A call over HTTP: from the bytes of a request to those of its answer.

import { didYouMean } from "../checks/hints.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { printable } from "../checks/printable.ts";
import { ParamError } from "../errors.ts";
import { isRecord } from "../messages.ts";
import { readBody } from "./body.ts";
import { type AnyBackend, type Given, runCall, type ServiceCall } from "./calls.ts";
import { type Form, formOf, wantedForm } from "./forms.ts";
import { parseBody, toArrays, toJson } from "./json.ts";
import { checkLimits, isTimed, type Limits } from "./limits.ts";
import { localOptions } from "./options.ts";
import { refuse } from "./problem.ts";
import { readTensors, type TensorBody, writeResult } from "./tensors.ts";

/** Rejects    with refusals, and what calls throw */
export async function answer(
  call: ServiceCall,
  request: Request,
  limits: Limits,
  backendOf: () => Promise<AnyBackend>,
): Promise<Response> {
  const form = formOf(request);
  const wanted = wantedForm(request, form);
  const [timing, mark] = createTiming();
  const bytes = await within(limits.maxMillis, request, (signal) => readBody(request, limits.maxBytes, signal));
  mark("read");
  const backend = await backendOf();
  const { given, shapes } = read(call, bytes, form, limits);
  checkLimits(given.input, given.options, limits, backend.name);
  // JSON has no bits of float16: what comes from tensors is answered in float32.
  if (wanted === "json" && "gradType" in call.options) given.options["gradType"] ??= "f32";
  mark("parse");
  const result = await compute(call, backend, given, limits, request);
  mark("compute");
  const body = wanted === "json" ? toJson(result) : writeResult(result, shapes);
  mark("write");
  const type = wanted === "json" ? "application/json" : "application/octet-stream";
  return new Response(body, { headers: { "content-type": type, "server-timing": timing() } });
}

function read(
  call: ServiceCall,
  bytes: Uint8Array,
  form: Form,
  { maxBytes }: Limits,
): Omit<TensorBody, "record"> & { given: Given } {
  if (form === "tensors") {
    const { record, shapes } = readTensors(bytes, call.fields);
    return { given: split(call, record), shapes };
  }
  // A number may take two bytes as JSON, and takes eight and more once it is read.
  const { input, options } = split(call, parseBody(bytes, Math.floor(maxBytes / 8)));
  return { given: { input: toArrays(input, call.fields), options }, shapes: {} };
}

/** Inputs and options stand side by side in a body; they may also be grouped as the library takes them, `{ pairs, options }`. */
function split(call: ServiceCall, record: object): Given {
  const { argument, fields } = call;
  const input: Record<string, unknown> = Object.create(null);
  const options: Record<string, unknown> = Object.create(null);
  const put = (name: string, value: unknown): void => {
    const to = Object.hasOwn(fields, name) ? input : options;
    if (to === options) checkOption(call, name);
    if (name in to) throw new ParamError("unused-option", `${name}: expected once, got it beside and within a group`);
    to[name] = value;
  };
  for (const [name, value] of Object.entries(record)) {
    const isGroup = (name === "options" || name === argument) && !Object.hasOwn(fields, name) && isRecord(value);
    if (isGroup) for (const [inner, part] of Object.entries(value)) put(inner, part);
    else put(name, value);
  }
  return { input, options };
}

function checkOption({ fields, options, path }: ServiceCall, name: string): void {
  if (Object.hasOwn(options, name)) return;
  if (localOptions.has(name)) throw new ParamError("unused-option", `${name}: not used over HTTP`);
  const known = [...Object.keys(fields), ...Object.keys(options)];
  const hint = didYouMean(name, known, { synonyms: lossSynonyms });
  throw new ParamError(
    "unknown-option",
    `${printable(name)}: not a part of ${path}; known: ${known.join(", ")}${hint}`,
  );
}

async function compute(
  call: ServiceCall,
  backend: AnyBackend,
  given: Given,
  { maxMillis }: Limits,
  request: Request,
): Promise<object> {
  // A call of this thread cannot be ended: its time was looked at before.
  if (isTimed(backend.name)) return runCall(call, backend, given) as object;
  return within(maxMillis, request, async (signal) => {
    try {
      return (await runCall(call, backend, { ...given, options: { ...given.options, signal } })) as object;
    } catch (error) {
      if (!signal.aborted || request.signal?.aborted) throw error;
      const detail = `body: expected at most ${maxMillis} ms of computation, got more`;
      throw refuse(413, detail, { code: "aborted", field: "body" });
    }
  });
}

/** What `run` gives; its signal ends with the time, or with the request. */
async function within<T>(millis: number, request: Request, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, millis);
  // Not every runtime tells of callers who leave.
  request.signal?.addEventListener("abort", abort);
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener("abort", abort);
  }
}

/** The header `server-timing`, and what closes a part of it. On Workers clocks stand still while a request computes. */
function createTiming(): [text: () => string, mark: (part: string) => void] {
  const parts: string[] = [];
  let last = performance.now();
  const mark = (part: string): void => {
    const now = performance.now();
    parts.push(`${part};dur=${(now - last).toFixed(2)}`);
    last = now;
  };
  return [() => parts.join(", "), mark];
}

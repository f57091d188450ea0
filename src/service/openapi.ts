// The OpenAPI document, from the tables of calls and fields.

import packageJson from "../../package.json" with { type: "json" };
import { errorCodes } from "../errors.ts";
import { calls, type ServiceCall } from "./calls.ts";
import { examples } from "./examples.ts";
import { type Fields, isValue, type Value } from "./fields.ts";
import type { Limits } from "./limits.ts";
import type { Schema } from "./options.ts";
import { problemType } from "./problem.ts";

const json = (schema: Schema, example?: object): Schema => ({
  "application/json": { schema, ...(example ? { example } : {}) },
});
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const tensors: Schema = {
  "application/octet-stream": {
    schema: { type: "string", format: "binary", description: "safetensors: tensors by the names that JSON has" },
  },
};

function objectOf(fields: Fields, limits: Limits): { properties: Record<string, Schema>; required: string[] } {
  const properties: Record<string, Schema> = {};
  for (const [name, field] of Object.entries(fields)) {
    const schema = isValue(field)
      ? schemaOf(field, name, limits)
      : { type: "object", additionalProperties: false, ...objectOf(field.fields, limits) };
    properties[name] = { ...schema, description: field.about };
  }
  return { properties, required: Object.keys(fields).filter((name) => fields[name]?.required) };
}

function schemaOf({ kind }: Value, name: string, { maxPairs, maxVocab, maxBytes }: Limits): Schema {
  const list = (items: Schema): Schema => ({ type: "array", items, maxItems: Math.floor(maxBytes / 8) });
  switch (kind) {
    case "number":
      return { type: "number" };
    case "index":
      return { type: "integer", minimum: 0, maximum: 2 ** 31 - 1 };
    case "count": {
      const most: Record<string, number> = { vocab: maxVocab, pairs: maxPairs, rows: 2 * maxPairs };
      return { type: "integer", minimum: 1, maximum: most[name] ?? 2 ** 31 - 1 };
    }
    case "ids":
      return list({ type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 });
    case "mask":
      return list({ type: "integer", enum: [0, 1] });
    case "flags":
      return list({ enum: [0, 1, false, true] });
    case "floats":
      return list({ type: "number", minimum: -3.4e38, maximum: 3.4e38 });
    case "numbers":
      return list({ type: "number" });
  }
}

const resultNumber: Schema = {
  oneOf: [{ type: "number" }, { type: "string", enum: ["NaN", "Infinity", "-Infinity"] }],
};

function resultOf({ results, hasLoss, name }: ServiceCall): Schema {
  const properties: Record<string, Schema> = {};
  if (hasLoss) properties["loss"] = ref("Number");
  for (const result of results) properties[result.replace("?", "")] = ref("Numbers");
  if (name !== "sequenceLogpsGrad") {
    properties["metrics"] = { type: "object", additionalProperties: ref("Number"), description: "by TRL's names" };
  }
  const required = Object.keys(properties).filter((key) => !results.includes(`${key}?`));
  return { type: "object", additionalProperties: false, properties, required };
}

const problem: Schema = {
  type: "object",
  required: ["type", "title", "status", "detail", "requestId"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "what was expected, what came, and where" },
    code: { type: "string", enum: errorCodes },
    field: { type: "string", description: "what is wrong, such as tokens.targets[17]" },
    requestId: { type: "string" },
  },
};

/** Every answer that is no result. */
const problems = (...statuses: readonly number[]): Record<string, Schema> =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: about[status] ?? "", content: { [problemType]: { schema: ref("Problem") } } },
    ]),
  );

const about: Readonly<Record<number, string>> = {
  400: "The body is not what its type says",
  401: "Not authorized",
  406: "No type that the request accepts",
  408: "The body did not come in time",
  413: "More than the service takes",
  415: "Another type of body",
  422: "Refused, with code and field",
  500: "A fault of the service",
  503: "The backend is busy, or not there",
};

function operationOf(call: ServiceCall, limits: Limits, isGuarded: boolean): Schema {
  const { properties, required } = objectOf(call.fields, limits);
  const schema = {
    type: "object",
    additionalProperties: false,
    properties: { ...properties, ...call.options },
    required,
  };
  return {
    operationId: call.name,
    summary: call.summary,
    requestBody: { required: true, content: { ...json(schema, examples[call.name]), ...tensors } },
    responses: {
      200: { description: "The result, in the form of the request", content: { ...json(resultOf(call)), ...tensors } },
      ...problems(400, ...(isGuarded ? [401] : []), 406, 408, 413, 415, 422, 500, 503),
    },
  };
}

function readingOf(operationId: string, summary: string, isGuarded: boolean): Schema {
  const responses = { 200: { description: summary, content: json({ type: "object" }) } };
  return { get: { operationId, summary, responses: { ...responses, ...problems(...(isGuarded ? [401] : [])) } } };
}

/** The document of a service with these limits; `isGuarded` by an `authorize` hook. */
export function openApi(limits: Limits, isGuarded: boolean): Schema {
  const posts = calls.map((call) => [call.path, { post: operationOf(call, limits, isGuarded) }] as const);
  return {
    openapi: "3.1.0",
    info: {
      title: "dpo-kernels",
      version: packageJson.version,
      description: packageJson.description,
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    paths: {
      ...Object.fromEntries(posts),
      "/v1/losses": readingOf("losses", "Every loss, with its hyperparameters", isGuarded),
      "/openapi.json": readingOf("openApi", "This document", isGuarded),
      "/health": readingOf("health", "Whether it runs, and on which backend", false),
    },
    components: {
      schemas: { Problem: problem, Number: resultNumber, Numbers: { type: "array", items: ref("Number") } },
    },
  };
}

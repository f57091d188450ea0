// The calls over HTTP, each once: its path, what it takes and gives. Router, readers and the OpenAPI document follow from the table.

import type { AsyncBackend, Backend } from "../types.ts";
import {
  type Fields,
  gradientFields,
  linearFields,
  logitsFields,
  pairFields,
  rowFields,
  sequencesFields,
} from "./fields.ts";
import {
  linearOptions,
  logpsGradOptions,
  logpsOptions,
  pairOptions,
  rowOptions,
  type Schema,
  tokenLossOptions,
} from "./options.ts";

export type AnyBackend = Backend | AsyncBackend;

/** What a call is given, once read. */
export interface Given {
  readonly input: Record<string, unknown>;
  readonly options: Record<string, unknown>;
}

export interface ServiceCall {
  readonly path: string;
  /** Of the backend. */
  readonly name: "pairLoss" | "unpairedLoss" | "sequenceLogps" | "sequenceLogpsGrad" | "logitsLoss" | "linearLoss";
  readonly summary: string;
  /** What the library calls its first argument. */
  readonly argument: "pairs" | "rows" | "batch";
  readonly fields: Fields;
  readonly options: Readonly<Record<string, Schema>>;
  /** Results that are arrays; those of some requests only end in "?". */
  readonly results: readonly string[];
  readonly hasLoss: boolean;
}

const pairResults = ["losses", "gradChosen", "gradRejected", "chosenRewards?", "rejectedRewards?"];
const rowResults = ["losses", "grad", "rewards?"];
/** Of pairs, or of rows. */
const lossResults = [
  "losses",
  ...["gradChosen?", "gradRejected?", "chosenRewards?", "rejectedRewards?", "grad?", "rewards?"],
];
const tokenResults = ["logps", "tokenLogps", "logsumexp"];
const headResults = ["gradHidden?", "gradWeight?", "gradBias?", "gradA?", "gradB?"];

export const calls: readonly ServiceCall[] = [
  {
    path: "/v1/pair-loss",
    name: "pairLoss",
    summary: "Losses, gradients and metrics of pairs, from their log-probs",
    argument: "pairs",
    fields: pairFields,
    options: pairOptions,
    results: pairResults,
    hasLoss: true,
  },
  {
    path: "/v1/unpaired-loss",
    name: "unpairedLoss",
    summary: "Losses, gradients and metrics of single rows, desirable or not, from their log-probs",
    argument: "rows",
    fields: rowFields,
    options: rowOptions,
    results: rowResults,
    hasLoss: true,
  },
  {
    path: "/v1/sequence-logps",
    name: "sequenceLogps",
    summary: "Log-probs of sequences, from logits or from hidden states and a head",
    argument: "batch",
    fields: sequencesFields,
    options: logpsOptions,
    results: [...tokenResults, "entropy?"],
    hasLoss: false,
  },
  {
    path: "/v1/sequence-logps-grad",
    name: "sequenceLogpsGrad",
    summary: "Gradients of any function of what sequence-logps gives",
    argument: "batch",
    fields: gradientFields,
    options: logpsGradOptions,
    results: ["gradLogits?", ...headResults],
    hasLoss: false,
  },
  {
    path: "/v1/logits-loss",
    name: "logitsLoss",
    summary: "Losses from logits, and the gradient of the logits",
    argument: "batch",
    fields: logitsFields,
    options: tokenLossOptions,
    results: [...lossResults, ...tokenResults, "gradLogits"],
    hasLoss: true,
  },
  {
    path: "/v1/linear-loss",
    name: "linearLoss",
    summary: "Losses from hidden states and an LM head, and the gradients of both",
    argument: "batch",
    fields: linearFields,
    options: linearOptions,
    results: [...lossResults, ...tokenResults, ...headResults],
    hasLoss: true,
  },
];

/** Runs a call on a backend. */
export function runCall({ name }: ServiceCall, backend: AnyBackend, { input, options }: Given): unknown {
  // What is checked here is names and kinds of JSON; the backend checks all the rest, whatever the types say.
  const run = backend[name] as unknown as (...given: readonly unknown[]) => unknown;
  if (name !== "sequenceLogpsGrad") return Reflect.apply(run, backend, [input, options]);
  const { gradients, ...batch } = input;
  return Reflect.apply(run, backend, [batch, gradients, options]);
}

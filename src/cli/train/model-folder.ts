// A frozen model from a folder, up to its head, and the head: ONNX Runtime runs the one, safetensors have the other.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DpoError } from "../../errors.ts";
import { logitTransform } from "../../from-trl/logit-transform.ts";
import { openModel } from "../../text/models.ts";
import { sessionOf } from "../../text/sessions.ts";
import type { Backbone, TrainHead } from "../../train.ts";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import { type Dtype, loadModel } from "../score/load.ts";
import { statesOf } from "./hidden-tensors.ts";
import { readTensor } from "./read-tensor.ts";

/** Throws    a refusal that names the folder or the file */
export async function openModelFolder(folder: string, dtype: Dtype): Promise<{ head: TrainHead; backbone: Backbone }> {
  const head = await readHead(folder);
  const model = await loadModel(folder, dtype);
  const { outputNames = [] } = sessionOf(model) ?? {};
  if (!outputNames.includes("last_hidden_state")) {
    const expected = "expected an output last_hidden_state, the states before the head";
    throw refusal(`--model: ${folder}: ${expected}, got ${outputNames.slice(0, 4).join(", ")}`);
  }
  const opened = openModel({ model, head }, false);
  return {
    head,
    async backbone({ rows, length, inputIds, attentionMask, completionMask }) {
      const positionIds = Int32Array.from({ length: rows * length }, (_, i) => i % length);
      const batch = { rows, length, inputIds, attentionMask, positionIds, completionMask, logitsFrom: 0 };
      const { values, release } = await opened.run(batch);
      release();
      return values.floats;
    },
  };
}

const isHead = (name: string): boolean => /^(lm_head|embed_out|output)\.weight$/.test(name);
const isEmbedding = (name: string): boolean => /(^|\.)(embed_tokens|wte|embed_in|word_embeddings)\.weight$/.test(name);

async function readHead(folder: string): Promise<TrainHead> {
  const config = await readJson(join(folder, "config.json"));
  const files = await weightFiles(folder);
  const find = async (isIt: (name: string) => boolean) => {
    for (const file of files) {
      const tensor = await readTensor(file, isIt);
      if (tensor) return tensor;
    }
    return undefined;
  };
  const isTied = config["tie_word_embeddings"] === true;
  const weight = (await find(isHead)) ?? (isTied ? await find(isEmbedding) : undefined);
  if (!weight) throw refusal(`--model: ${folder}: expected lm_head.weight in its safetensors, got no such tensor`);
  const [vocab, hiddenSize, ...more] = weight.shape;
  if (vocab === undefined || hiddenSize === undefined || more.length > 0 || !/^(B?F16|F32)$/.test(weight.dtype)) {
    const got = `${weight.dtype} [${weight.shape.join(", ")}]`;
    throw refusal(`--model: ${folder}: ${weight.name}: expected floats [vocab, hiddenSize], got ${got}`);
  }
  const bias = await find((name) => name === "lm_head.bias");
  return {
    ...{ weight: statesOf(weight).floats, vocab, hiddenSize },
    ...(bias && { bias: statesOf(bias).floats }),
    ...transformOf(folder, config),
  };
}

function transformOf(folder: string, config: object): ReturnType<typeof logitTransform> {
  try {
    return logitTransform(config);
  } catch (error) {
    throw error instanceof DpoError ? refusal(`--model: ${folder}: config.json: ${error.message}`) : error;
  }
}

/** Of large models there are several, which an index lists. */
async function weightFiles(folder: string): Promise<string[]> {
  const index = join(folder, "model.safetensors.index.json");
  if (existsSync(index)) {
    const { weight_map: files } = (await readJson(index)) as { weight_map?: Record<string, string> };
    return [...new Set(Object.values(files ?? {}))].map((name) => join(folder, name));
  }
  const file = join(folder, "model.safetensors");
  if (existsSync(file)) return [file];
  throw refusal(`--model: ${file}: no such file; the head is read from there`);
}

async function readJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (isSystemError(error)) throw fileProblem(path, error);
    throw refusal(`${path}: not JSON`);
  }
}

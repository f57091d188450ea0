// The model and tokenizer that lie beside the data, as users of transformers.js load them. Not part of the package: where
// ../shared is missing, what needs it is skipped visibly.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ModelSession, SessionModel, TextTokenizer } from "../../src/text.ts";

const shared = new URL("../../../shared/", import.meta.url);
const folder = "stories260k-hf";

export const missing = existsSync(new URL(`data/${folder}/`, shared)) ? "" : " (skipped: ../shared/data is not here)";

export const readShared = (path: string): Buffer => readFileSync(new URL(path, shared));
export const readJson = <T>(path: string): T => JSON.parse(readShared(path).toString());

export const chatTemplate = (): string => readShared(`data/${folder}/chat_template.jinja`).toString();
export const modelFolder = (): string => fileURLToPath(new URL(`data/${folder}`, shared));
export const onnxFile = (): string => fileURLToPath(new URL(`data/${folder}/onnx/model.onnx`, shared));

interface Transformers {
  env: { allowRemoteModels: boolean; localModelPath: string };
  AutoTokenizer: { from_pretrained(name: string): Promise<TextTokenizer> };
  AutoModelForCausalLM: { from_pretrained(name: string, options: object): Promise<SessionModel> };
}

// By a name that the compiler does not follow: the library's own types do not pass its strictest checks.
async function transformers(): Promise<Transformers> {
  const name = "@huggingface/transformers";
  const library: Transformers = await import(name);
  // Nothing is fetched.
  library.env.allowRemoteModels = false;
  library.env.localModelPath = fileURLToPath(new URL("data/", shared));
  return library;
}

export const loadTokenizer = async (): Promise<TextTokenizer> =>
  (await transformers()).AutoTokenizer.from_pretrained(folder);

export const loadModel = async (): Promise<SessionModel> =>
  (await transformers()).AutoModelForCausalLM.from_pretrained(folder, { dtype: "fp32" });

/** A session of one of ONNX Runtime's packages. */
export async function loadSession(library: "onnxruntime-node" | "onnxruntime-web"): Promise<ModelSession> {
  const { InferenceSession }: { InferenceSession: { create(from: unknown): Promise<ModelSession> } } = await import(
    library
  );
  return InferenceSession.create(readFileSync(onnxFile()));
}

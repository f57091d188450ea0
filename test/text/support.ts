// The model and tokenizer that lie beside the data, as users of transformers.js load them. Not part of the package: where
// ../shared is missing, what needs it is skipped visibly.

import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ModelSession, SessionModel, TextTokenizer } from "../../src/text.ts";

const shared = new URL("../../../shared/", import.meta.url);
const folder = "stories260k-hf";

export const missing = existsSync(new URL(`data/${folder}/`, shared)) ? "" : " (skipped: ../shared/data is not here)";

export const readShared = (path: string): Buffer => readFileSync(new URL(path, shared));
export const readJson = <T>(path: string): T => JSON.parse(readShared(path).toString());

export const chatTemplate = (): string => readShared(`data/${folder}/chat_template.jinja`).toString();
export const modelFolder = (): string => fileURLToPath(new URL(`data/${folder}`, shared));
/** Another model, in a new folder: the same with an embedding that is a little off. */
export function tunedFolder(folder: string): string {
  cpSync(modelFolder(), folder, { recursive: true });
  const onnx = join(folder, "onnx/model.onnx");
  chmodSync(onnx, 0o644);
  const bytes = new Uint8Array(readFileSync(onnx));
  const embedding = readShared("data/stories260K.bin").subarray(28, 28 + 512 * 64 * 4);
  const at = Buffer.from(bytes.buffer).indexOf(embedding.subarray(0, 256));
  const view = new DataView(bytes.buffer, at, embedding.length);
  for (let i = 0; i < embedding.length; i += 4)
    view.setFloat32(i, view.getFloat32(i, true) * (1 + 0.2 * Math.sin(i)), true);
  writeFileSync(onnx, bytes);
  return folder;
}

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

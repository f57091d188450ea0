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

/** In place of a model that would have to be fetched: letters for tokens, and every one of them as likely as its neighbours. */
export function languageModel() {
  const V = 128;
  const idsOf = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0) % V);
  const tokenizer = Object.assign((text: string) => ({ input_ids: idsOf(text) }), {
    ...{ eos_token: "$", eos_token_id: 36, padding_side: "left", chat_template: "words" },
    apply_chat_template: (messages: readonly { content?: unknown }[]) =>
      idsOf(messages.map(({ content }) => `${content}$`).join("")),
  });
  const session = {
    ...{ inputNames: ["input_ids", "attention_mask", "position_ids"], outputNames: ["logits"] },
    async run(feeds: { input_ids: { dims: number[] } }) {
      const dims = [...feeds.input_ids.dims, V];
      const data = Float32Array.from({ length: dims.reduce((product, n) => product * n, 1) }, (_, at) =>
        Math.sin(at % V),
      );
      return { logits: { type: "float32", dims, data } };
    },
  };
  const examples = [{ prompt_ids: [1, 2], chosen_ids: [3], rejected_ids: [4, 5] }];
  const said = (role: string, content: string) => [{ role, content }];
  const conversations = [
    { prompt: said("user", "q"), chosen: said("assistant", "x"), rejected: said("assistant", "y") },
  ];
  return {
    AutoTokenizer: { from_pretrained: async () => tokenizer },
    AutoModelForCausalLM: { from_pretrained: async () => ({ sessions: { model: session } }) },
    InferenceSession: { create: async () => session },
    ...{ tokenizer, examples, conversations, rows: [{ prompt: "a", chosen: "b", rejected: "c" }] },
  };
}

// A model and its tokenizer from a folder, through transformers.js, which users of this command install beside this package.

import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { SessionModel, TextTokenizer } from "../../text.ts";
import { importPeer } from "../peer.ts";
import { refusal } from "../refusal.ts";

/** What is used of transformers.js. */
interface Transformers {
  readonly env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string };
  readonly AutoTokenizer: { from_pretrained(name: string): Promise<TextTokenizer> };
  readonly AutoModelForCausalLM: { from_pretrained(name: string, options: object): Promise<SessionModel> };
}

/** What a file of weights is called, by the type that they are stored in. */
export const dtypes = {
  fp32: "",
  fp16: "_fp16",
  q8: "_quantized",
  int8: "_int8",
  uint8: "_uint8",
  q4: "_q4",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
} as const;

export type Dtype = keyof typeof dtypes;

/** Where the weights of a folder lie. Throws    a refusal where there are none */
export async function weightsOf(folder: string, dtype: Dtype, flag: string): Promise<string> {
  const info = await stat(folder).catch(() => undefined);
  if (!info?.isDirectory()) throw refusal(`${flag}: ${folder}: no such folder`);
  const file = join(folder, "onnx", `model${dtypes[dtype]}.onnx`);
  if (existsSync(file)) return file;
  throw refusal(`${flag}: ${file}: no such file; transformers.js reads models in ONNX from there (--dtype says which)`);
}

// Nothing is fetched: what is scored is what lies there.
async function localTransformers(folder: string): Promise<{ library: Transformers; name: string }> {
  const library = await importPeer<Transformers>("@huggingface/transformers", "--model");
  const path = resolve(folder);
  Object.assign(library.env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: dirname(path) });
  return { library, name: basename(path) };
}

/** The tokenizer of a folder, and its chat template where that is a file of its own. */
export async function loadTokenizer(
  folder: string,
): Promise<{ tokenizer: TextTokenizer; chatTemplate: string | undefined }> {
  const { library, name } = await localTransformers(folder);
  const template = join(folder, "chat_template.jinja");
  const tokenizer = await library.AutoTokenizer.from_pretrained(name);
  const isOwn = !tokenizer.chat_template && existsSync(template);
  return { tokenizer, chatTemplate: isOwn ? await readFile(template, "utf8") : undefined };
}

/** Without `threads`, ONNX Runtime takes every core. */
export async function loadModel(folder: string, dtype: Dtype, threads?: number): Promise<SessionModel> {
  const { library, name } = await localTransformers(folder);
  const session =
    threads === undefined ? {} : { session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 } };
  return library.AutoModelForCausalLM.from_pretrained(name, { dtype, ...session });
}

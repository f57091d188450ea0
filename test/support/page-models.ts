// In place of transformers.js and ONNX Runtime in the blocks of the documentation, whose models would have to be fetched: letters for
// tokens, and the same logits at every position.

import { Tensor } from "onnxruntime-web";

const V = 128;
const idsOf = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0) % V);

const tokenizer = Object.assign((text: string) => ({ input_ids: idsOf(text) }), {
  ...{ eos_token: "$", eos_token_id: 36, padding_side: "left", chat_template: "words" },
  apply_chat_template: (messages: readonly { content?: unknown }[]) =>
    idsOf(messages.map(({ content }) => `${content}$`).join("")),
});

const session = {
  ...{ inputNames: ["input_ids", "attention_mask", "position_ids"], outputNames: ["logits"] },
  async run(feeds: { input_ids: { dims: readonly number[] } }) {
    const dims = [...feeds.input_ids.dims, V];
    const data = Float32Array.from({ length: dims.reduce((product, n) => product * n) }, (_, at) => Math.sin(at % V));
    return { logits: new Tensor("float32", data, dims) };
  },
};

export const AutoTokenizer = { from_pretrained: async () => tokenizer };
export const AutoModelForCausalLM = { from_pretrained: async () => ({ sessions: { model: session } }) };
export const InferenceSession = { create: async () => session };
export { Tensor };

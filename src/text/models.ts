// A model, whatever it is, as one function from a padded batch to what log-probs are read from.

import { KindError, ParamError } from "../errors.ts";
import { isRecord, kindOf } from "../messages.ts";
import type { ModelBatch, ModelSession, ScorerOptions } from "./scorer-types.ts";
import { feedsOf, outputOf, sessionOf, takesLeftPadding } from "./sessions.ts";
import { isTensor, readValues, type Values } from "./tensors.ts";

/** What a model gave, not yet looked at. */
interface Output {
  readonly kind: "logits" | "hidden";
  readonly given: unknown;
  /** Everything that has to be given back. */
  readonly tensors: readonly unknown[];
}

/** What log-probs are read from. */
export interface Answer {
  readonly kind: "logits" | "hidden";
  readonly values: Values;
  /** Gives the model's tensors back. */
  release(): void;
}

export interface OpenModel {
  /** Whether it can be told of padding on the left. */
  readonly takesLeftPadding: boolean;
  run(batch: ModelBatch): Promise<Answer>;
}

/** Throws    KindError for what is no model; ParamError for one that is not a language model */
export function openModel({ model, head, vocab }: ScorerOptions, isOnGpu: boolean): OpenModel {
  const session =
    (typeof model === "object" && model !== null) || typeof model === "function" ? sessionOf(model) : undefined;
  if (!session && typeof model !== "function") {
    throw new KindError(`model: expected one of transformers.js, a session, or a function, got ${kindOf(model)}`);
  }
  const ask = session
    ? askSession(session, head !== undefined)
    : async (batch: ModelBatch) => outputOfFunction(await (model as (batch: ModelBatch) => unknown)(batch));
  const widths = { logits: head?.vocab ?? vocab, hidden: head?.hiddenSize };
  return {
    takesLeftPadding: session === undefined || takesLeftPadding(session),
    async run(batch) {
      const { kind, given, tensors } = await ask(batch);
      const release = (): void => {
        for (const tensor of tensors) if (isTensor(tensor)) tensor.dispose?.();
      };
      try {
        if (kind === "hidden" && !head) {
          throw new ParamError("missing-input", "head: expected with a model that gives hidden states, got nothing");
        }
        return { kind, values: await readValues(given, `model's ${kind}`, batch, widths[kind], isOnGpu), release };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

function askSession(session: ModelSession, hasHead: boolean): (batch: ModelBatch) => Promise<Output> {
  const name = outputOf(session, hasHead);
  return async (batch) => {
    const outputs = (await session.run(feedsOf(session, batch) as never, [name])) as Record<string, unknown>;
    const kind = name === "logits" ? "logits" : "hidden";
    return { kind, given: outputs[name], tensors: Object.values(outputs) };
  };
}

function outputOfFunction(output: unknown): Output {
  // Half floats are records of one field too.
  const fields = isRecord(output) && !isTensor(output) ? (output as Record<string, unknown>) : {};
  const tensors = [output, ...Object.values(fields)];
  if (fields["hidden"] !== undefined) return { kind: "hidden", given: fields["hidden"], tensors };
  return { kind: "logits", given: fields["logits"] ?? output, tensors };
}

// From texts and messages to token lists, by the rules of TRL 1.16.

import { isList } from "../checks/lists.ts";
import { printable } from "../checks/printable.ts";
import { recordOf } from "../checks/record.ts";
import { KindError, ParamError } from "../errors.ts";
import { isRecord, kindOf, shown } from "../messages.ts";
import { formOf, type RowForm, readRow, type TextRow } from "./read-rows.ts";
import type {
  LabelledRow,
  Message,
  PairRow,
  TextTokenizer,
  TokenizedPair,
  TokenizedRow,
  TokenizeOptions,
} from "./types.ts";
import { collectWarnings } from "./warnings.ts";

/** The options of tokenizePairs, read once. Throws    KindError, ParamError for names that are none */
export const readTokenizeOptions = recordOf<TokenizeOptions>({ what: "options", field: "an option of tokenizePairs" }, [
  "maxLength",
  "truncationMode",
  "eosToken",
  "chatTemplate",
  "tools",
  "chatTemplateKwargs",
  "onWarning",
]);

/**
 * Token lists of a preference data set, as `collate` takes them: what TRL 1.16 makes of texts and messages.
 *
 *   prompt_ids = what the tokens of the prompt, of prompt + chosen and of prompt + rejected begin with in common;
 *   chosen_ids, rejected_ids = the rest
 *
 * Rows    { prompt?, chosen, rejected } or { prompt, completion, label }, of texts or messages; with messages `tools` and
 *         `chat_template_kwargs`. All of the form of the first
 * Returns the lists, in the order of the rows; those whose prompt fills `maxLength` are missing, and `onWarning` says which
 * Throws  KindError, ParamError, naming row and column
 * @example  import { collate } from "dpo-kernels";
 *           import { tokenizePairs } from "dpo-kernels/text";
 *           const tokenizer = Object.assign((text) => [...text].map((letter) => letter.charCodeAt(0)), { eos_token: "!" });
 *           const rows = [{ prompt: "Hi", chosen: " you", rejected: " there!" }];
 *           const examples = tokenizePairs(rows, tokenizer, { maxLength: 512 });
 *           const batch = collate(examples); // prompt_ids [72, 105], chosen_ids [32, 121, 111, 117, 33], …
 */
export function tokenizePairs(
  rows: Iterable<PairRow>,
  tokenizer: TextTokenizer,
  options?: TokenizeOptions,
): TokenizedPair[];
export function tokenizePairs(
  rows: Iterable<LabelledRow>,
  tokenizer: TextTokenizer,
  options?: TokenizeOptions,
): TokenizedRow[];
export function tokenizePairs(
  rows: Iterable<PairRow | LabelledRow>,
  tokenizer: TextTokenizer,
  options: TokenizeOptions = {},
): (TokenizedPair | TokenizedRow)[] {
  const settings = readTokenizeOptions(options);
  const tokenize = rowTokenizer(tokenizer, settings);
  if (typeof rows === "string" || typeof rows?.[Symbol.iterator] !== "function") {
    throw new KindError(`rows: expected a list of rows, got ${kindOf(rows)}`);
  }
  const warnings = collectWarnings();
  const { maxLength = Infinity, truncationMode = "keep_start", onWarning = warnOnConsole } = settings;
  const lists: (TokenizedPair | TokenizedRow)[] = [];
  let form: RowForm | undefined;
  let count = 0;
  for (const row of rows) {
    const where = `rows[${count}]`;
    form ??= formOf(row, where);
    const { lists: made, notes } = tokenize(readRow(row, form, where), where);
    if (truncationMode === "keep_start" && made.prompt_ids.length >= maxLength) warnings.add("dropped", count);
    else {
      for (const note of notes) warnings.add(note, count);
      lists.push(made);
    }
    count++;
  }
  warnings.tell(count, onWarning);
  return lists;
}

const warnOnConsole = ({ message }: { message: string }): void => console.warn(`dpo-kernels: ${message}`);

/** The token lists of one row after another. */
function rowTokenizer(tokenizer: TextTokenizer, options: TokenizeOptions) {
  checkOptions(tokenizer, options);
  const { eosToken = tokenizer.eos_token ?? undefined } = options;
  const eosId = tokenizer.eos_token_id;

  const ofText = (text: string, where: string): number[] =>
    idsOf(
      guarded(() => tokenizer(text, { return_tensor: false }), where),
      where,
    );

  const ofTexts = ({ prompt, completions }: NonNullable<TextRow["texts"]>, where: string): number[][] => {
    if (eosToken === undefined) {
      const expected = "expected the text of the end token, or null for none";
      throw new ParamError("missing-input", `eosToken: ${expected}, got neither it nor tokenizer.eos_token`);
    }
    const ended = (text: string): string => (eosToken === null || text.endsWith(eosToken) ? text : text + eosToken);
    return [prompt, ...completions.map((completion) => prompt + ended(completion))].map((text) => ofText(text, where));
  };

  const ofMessages = (row: TextRow & { messages: object }, where: string): number[][] => {
    const { messages, tools = options.tools, kwargs } = row;
    const { prompt, completions } = messages;
    const variables = { ...options.chatTemplateKwargs, ...kwargs };
    for (const name of ownVariables) {
      if (!(name in variables)) continue;
      throw new ParamError("unused-option", `${where}.chat_template_kwargs.${name}: expected none, got one`);
    }
    const render = (conversation: readonly Message[], isPrompt: boolean): number[] => {
      const apply = tokenizer.apply_chat_template?.bind(tokenizer);
      if (!apply || (options.chatTemplate === undefined && !tokenizer.chat_template)) {
        throw new ParamError(
          "missing-input",
          `chatTemplate: expected for messages (${where}), got neither it nor tokenizer.chat_template; transformers.js does not read the file chat_template.jinja`,
        );
      }
      const call = {
        ...{ tools: tools ?? null, ...variables, add_generation_prompt: isPrompt },
        ...(options.chatTemplate !== undefined && { chat_template: options.chatTemplate }),
        ...{ tokenize: true, return_tensor: false, return_dict: false },
      };
      return idsOf(
        guarded(() => apply([...conversation], call), where),
        where,
      );
    };
    return [render(prompt, true), ...completions.map((completion) => render([...prompt, ...completion], false))];
  };

  return (row: TextRow, where: string) => {
    const [prompt = [], ...wholes] = row.texts ? ofTexts(row.texts, where) : ofMessages(row, where);
    const length = Math.min(...wholes.map((whole) => commonLength(prompt, whole)));
    const [first = [], second] = wholes.map((whole) => whole.slice(length));
    const prompt_ids = prompt.slice(0, length);
    const notes: ("boundary" | "empty" | "same" | "unended")[] = [];
    const completions = second ? [first, second] : [first];
    if (length < prompt.length) notes.push("boundary");
    if (completions.some((ids) => ids.length === 0)) notes.push("empty");
    if (second && first.length === second.length && commonLength(first, second) === first.length) notes.push("same");
    if (row.messages && typeof eosId === "number" && completions.some((ids) => !ids.includes(eosId))) {
      notes.push("unended");
    }
    const lists: TokenizedPair | TokenizedRow = second
      ? { prompt_ids, chosen_ids: first, rejected_ids: second }
      : { prompt_ids, completion_ids: first, label: row.label as boolean };
    return { lists, notes };
  };
}

// What the call itself says to the template.
const ownVariables = ["add_generation_prompt", "tokenize", "return_tensor", "return_dict", "padding", "truncation"];

function checkOptions(tokenizer: unknown, options: TokenizeOptions): void {
  const { maxLength, truncationMode, eosToken, chatTemplate, tools, chatTemplateKwargs, onWarning } = options;
  if (typeof tokenizer !== "function") {
    throw new KindError(`tokenizer: expected one of transformers.js, or a function, got ${kindOf(tokenizer)}`);
  }
  if (maxLength !== undefined && typeof maxLength !== "number") {
    throw new KindError(`maxLength: expected an integer, got ${kindOf(maxLength)}`);
  }
  if (maxLength !== undefined && !(Number.isSafeInteger(maxLength) && maxLength >= 1)) {
    throw new ParamError("out-of-range", `maxLength: expected an integer of at least 1, got ${maxLength}`);
  }
  if (truncationMode !== undefined && truncationMode !== "keep_start" && truncationMode !== "keep_end") {
    throw new ParamError(
      "out-of-range",
      `truncationMode: expected "keep_start" or "keep_end", got ${shown(truncationMode)}`,
    );
  }
  const kinds: [string, boolean, string, unknown][] = [
    ["eosToken", eosToken == null || typeof eosToken === "string", "a text or null", eosToken],
    ["chatTemplate", chatTemplate === undefined || typeof chatTemplate === "string", "a text", chatTemplate],
    ["tools", tools === undefined || isList(tools), "a list", tools],
    [
      "chatTemplateKwargs",
      chatTemplateKwargs === undefined || isRecord(chatTemplateKwargs),
      "an object",
      chatTemplateKwargs,
    ],
    ["onWarning", onWarning === undefined || typeof onWarning === "function", "a function", onWarning],
  ];
  for (const [name, isSound, expected, got] of kinds) {
    if (!isSound) throw new KindError(`${name}: expected ${expected}, got ${kindOf(got)}`);
  }
}

// A template may refuse a conversation, in words of its own.
function guarded<T>(call: () => T, where: string): T {
  try {
    return call();
  } catch (cause) {
    const said = cause instanceof Error ? printable(cause.message) : kindOf(cause);
    throw new ParamError("out-of-range", `${where}: the tokenizer refuses it: ${said}`, { cause });
  }
}

function idsOf(encoded: unknown, where: string): number[] {
  const ids = isRecord(encoded) ? (encoded as { input_ids?: unknown }).input_ids : encoded;
  if (isList(ids) && ids.every((id) => typeof id === "number")) return ids as number[];
  throw new KindError(`tokenizer: expected a list of token ids (${where}), got ${kindOf(ids)}`);
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const shorter = Math.min(a.length, b.length);
  let length = 0;
  while (length < shorter && a[length] === b[length]) length++;
  return length;
}

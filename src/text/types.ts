// What tokenizePairs takes and gives.

/** One message of a conversation; chat templates may read more of it than its role and content. */
export interface Message {
  role: string;
  content?: unknown;
  [more: string]: unknown;
}

/**
 * A pair as data sets have it: texts, or lists of messages. Without `prompt` it is what `chosen` and `rejected` begin with in
 * common. Other columns are not looked at.
 */
export interface PairRow {
  prompt?: unknown;
  chosen: unknown;
  rejected: unknown;
  /** Of messages: the functions that a template shows, as JSON schemas or their JSON. */
  tools?: unknown;
  /** Of messages: further variables of the template, such as `enable_thinking`. */
  chat_template_kwargs?: unknown;
  [column: string]: unknown;
}

/** One completion that is desirable or not, as KTO and BCO take it. */
export interface LabelledRow {
  prompt: unknown;
  completion: unknown;
  label: unknown;
  tools?: unknown;
  chat_template_kwargs?: unknown;
  [column: string]: unknown;
}

/** What is used of a tokenizer: transformers.js's own will do, and so will any function from a text to its ids. */
export interface TextTokenizer {
  (text: string, options: { return_tensor: false }): unknown;
  readonly eos_token?: string | null | undefined;
  readonly eos_token_id?: number | null | undefined;
  readonly pad_token_id?: number | null | undefined;
  readonly padding_side?: string | undefined;
  readonly chat_template?: unknown;
  apply_chat_template?(messages: Message[], options: Record<string, unknown>): unknown;
}

/** A pair as token ids, under the names that TRL's tokenised data sets have; `collate` takes it. */
export interface TokenizedPair {
  prompt_ids: number[];
  chosen_ids: number[];
  rejected_ids: number[];
}

/** One completion as token ids. */
export interface TokenizedRow {
  prompt_ids: number[];
  completion_ids: number[];
  label: boolean;
}

/** Why rows are worth a look. */
export type TextWarningKind = "boundary" | "dropped" | "empty" | "same" | "unended";

/** One for each kind, whatever the number of rows. */
export interface TextWarning {
  kind: TextWarningKind;
  /** How many rows it is about, and which. */
  count: number;
  rows: number[];
  message: string;
}

export interface TokenizeOptions {
  /** Rows whose prompt alone has as many tokens are dropped, unless `truncationMode` is "keep_end". Default: any number. */
  maxLength?: number | undefined;
  /** Default "keep_start". */
  truncationMode?: "keep_start" | "keep_end" | undefined;
  /** Appended to texts that do not end with it; `null`: nothing is. Default: the tokenizer's `eos_token`. */
  eosToken?: string | null | undefined;
  /** A Jinja template in place of the tokenizer's. transformers.js does not read the file chat_template.jinja by itself. */
  chatTemplate?: string | undefined;
  /** For rows that bring none of their own. */
  tools?: readonly unknown[] | undefined;
  /** Beside those of the rows, which come first. */
  chatTemplateKwargs?: Record<string, unknown> | undefined;
  /** Called once for each kind, after the last row. Default: `console.warn`. */
  onWarning?: ((warning: TextWarning) => void) | undefined;
}

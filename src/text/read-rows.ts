// A row of a data set, in any form that one takes, as its prompt and completions: texts, or messages.

import { isList } from "../checks/lists.ts";
import { KindError, ParamError } from "../errors.ts";
import { isRecord, kindOf, shown } from "../messages.ts";
import { commonMessages, commonText } from "./common-start.ts";
import type { Message } from "./types.ts";

/** Texts, or messages, of one row: a prompt and what follows it. */
type Parts<T> = { readonly prompt: T; readonly completions: readonly T[] };

/** A row, read. */
export type TextRow = { readonly label: boolean | undefined } & (
  | { readonly texts: Parts<string>; readonly messages?: undefined }
  | {
      readonly messages: Parts<readonly Message[]>;
      readonly texts?: undefined;
      readonly tools: readonly unknown[] | undefined;
      readonly kwargs: Readonly<Record<string, unknown>> | undefined;
    }
);

/** What all rows of one data set have, as the first one shows. */
export interface RowForm {
  /** The columns of completions. */
  readonly columns: readonly string[];
  readonly hasPrompt: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;

/** The form of a row. Throws    KindError for what is no row; ParamError for one without completions, or with images */
export function formOf(row: unknown, where: string): RowForm {
  const fields = fieldsOf(row, where);
  const hasPrompt = !isAbsent(fields["prompt"]);
  if (!isAbsent(fields["chosen"]) || !isAbsent(fields["rejected"])) {
    return { columns: ["chosen", "rejected"], hasPrompt };
  }
  if (isAbsent(fields["completion"])) {
    const names = Object.keys(fields).slice(0, 8).join(", ");
    const expected = "expected chosen and rejected, or completion and label";
    throw new ParamError("missing-input", `${where}: ${expected}, got ${names || "no columns"}`);
  }
  if (hasPrompt) return { columns: ["completion"], hasPrompt };
  throw new ParamError("missing-input", `${where}.prompt: expected with completion, got ${kindOf(fields["prompt"])}`);
}

function fieldsOf(row: unknown, where: string): Fields {
  if (isRecord(row)) return row as Fields;
  throw new KindError(`${where}: expected an object with texts or messages, got ${kindOf(row)}`);
}

/** A row of this form. Throws    KindError, ParamError, naming row and column */
export function readRow(row: unknown, form: RowForm, where: string): TextRow {
  const fields = fieldsOf(row, where);
  refuseImages(fields, where);
  const sides = form.columns.map((name) => readSide(fields[name], `${where}.${name}`));
  const prompt = form.hasPrompt ? readSide(fields["prompt"], `${where}.prompt`) : undefined;
  if (!form.hasPrompt && !isAbsent(fields["prompt"])) {
    throw new ParamError("unused-option", `${where}.prompt: expected none, as in the first row, got one`);
  }
  const label = form.columns.length === 1 ? readLabel(fields["label"], `${where}.label`) : undefined;
  const isTexts = typeof sides[0] === "string";
  const columns = ["prompt", ...form.columns];
  for (const [i, side] of [prompt, ...sides].entries()) {
    if (side === undefined || (typeof side === "string") === isTexts) continue;
    // A text beside conversations that begin with it is what they have in common.
    if (i === 0 && typeof side === "string" && repeats(side, sides)) {
      return { label, ...extras(fields, where), messages: commonMessages(...pairOf<readonly Message[]>(sides)) };
    }
    const expected = isTexts ? "a text" : "messages";
    throw new KindError(
      `${where}.${columns[i]}: expected ${expected}, as ${where}.${columns[1]}, got ${isTexts ? "messages" : "a text"}`,
    );
  }
  if (isTexts) {
    const texts = sides as string[];
    return {
      label,
      texts: typeof prompt === "string" ? { prompt, completions: texts } : commonText(...pairOf<string>(texts)),
    };
  }
  const messages = sides as (readonly Message[])[];
  const parts =
    prompt === undefined
      ? commonMessages(...pairOf<readonly Message[]>(messages))
      : { prompt: prompt as readonly Message[], completions: messages };
  return { label, ...extras(fields, where), messages: parts };
}

const pairOf = <T>(sides: readonly unknown[]): [chosen: T, rejected: T] => [sides[0] as T, sides[1] as T];

const repeats = (prompt: string, sides: readonly (string | readonly Message[])[]): boolean =>
  sides.length === 2 &&
  sides.every((side) => typeof side !== "string" && side.find(({ role }) => role !== "system")?.content === prompt);

function refuseImages(fields: Fields, where: string): void {
  for (const name of ["image", "images"]) {
    if (isAbsent(fields[name])) continue;
    throw new ParamError("unused-option", `${where}.${name}: expected texts or messages alone, got images`);
  }
}

function readSide(value: unknown, where: string): string | readonly Message[] {
  if (typeof value === "string") return value;
  if (!isList(value)) throw new KindError(`${where}: expected a text or a list of messages, got ${kindOf(value)}`);
  for (const [i, message] of value.entries()) {
    if (isRecord(message) && typeof (message as Fields)["role"] === "string") continue;
    const got = isRecord(message) ? `role ${shown((message as Fields)["role"])}` : kindOf(message);
    throw new KindError(`${where}[${i}]: expected a message with a role and a content, got ${got}`);
  }
  return value as readonly Message[];
}

function readLabel(value: unknown, where: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === 1 || value === 1n) return true;
  if (value === 0 || value === 0n) return false;
  throw new KindError(`${where}: expected true or false, got ${shown(value)}`);
}

/** What a row has for its template. */
function extras(fields: Fields, where: string) {
  const tools = typeof fields["tools"] === "string" ? parse(fields["tools"], `${where}.tools`) : fields["tools"];
  const { chat_template_kwargs: kwargs } = fields;
  if (!isAbsent(tools) && !isList(tools)) {
    throw new KindError(`${where}.tools: expected a list, or the JSON of one, got ${kindOf(tools)}`);
  }
  if (!isAbsent(kwargs) && !isRecord(kwargs)) {
    throw new KindError(`${where}.chat_template_kwargs: expected an object, got ${kindOf(kwargs)}`);
  }
  return { tools: tools ?? undefined, kwargs: (kwargs ?? undefined) as Fields | undefined };
}

function parse(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new KindError(`${where}: expected a list, or the JSON of one, got a text that is no JSON`, { cause });
  }
}

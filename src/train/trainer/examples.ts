// Examples as a training keeps them: token lists, cut as the configuration says, with what else they bring.

import { isList, mapList } from "../../checks/lists.ts";
import { cut, type Row } from "../../collate/collate.ts";
import { readExample } from "../../collate/ids.ts";
import { mismatch } from "../../collate/mismatch.ts";
import { readOptions } from "../../collate/read.ts";
import { KindError, ParamError, ShapeError } from "../../errors.ts";
import { badId } from "../../inputs/tokens.ts";
import { kindOf, shown } from "../../messages.ts";
import type { Recipe } from "./config.ts";
import type { TrainExample } from "./types.ts";

export interface Example {
  /** Its place in what was given. */
  readonly index: number;
  /** Chosen and rejected; or a row, and for KTO its mismatched one. */
  readonly rows: readonly Row[];
  readonly desirable: boolean;
  /** Of each of the rows, where the example brings them. */
  readonly refLogps: readonly number[] | undefined;
  readonly rewardMargin: number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the configuration makes of examples. */
export interface Reader {
  /** The examples of a list, without those whose prompt leaves no room; `offset`: the place of the first. */
  read(examples: readonly TrainExample[], name: string, offset?: number): { kept: Example[]; dropped: number };
}

export function readerOf(recipe: Recipe, precomputed: boolean, vocab: number): Reader {
  const { collate, ofRows, mismatched, train, drops, readsPrompts } = recipe;
  const settings = readOptions(collate);
  const { maxLength, truncationMode } = settings;
  const isTooLong = (prompt: Int32Array): boolean =>
    drops && truncationMode === "keep_start" && collate.maxPromptLength === undefined && prompt.length >= maxLength;
  const completions = ofRows ? (["completion"] as const) : (["chosen", "rejected"] as const);

  const tokensOf = (given: TrainExample, index: number, where: string) => {
    const fields = recordAt(given, where);
    const lists = readExample(fields, ["prompt", ...completions], where) as Readonly<Record<string, Int32Array>>;
    return { fields, lists, prompt: lists["prompt"] as Int32Array, index, where };
  };
  type Tokens = ReturnType<typeof tokensOf>;

  /** The row of a prompt and a completion. What is predicted of it is of the head's ids; the rest only the backbone reads. */
  const rowOf = (prompt: Int32Array, completion: Int32Array, where: string, side: string): Row => {
    const row = cut(prompt, completion, settings);
    if (readsPrompts) checkIds(row.prompt.subarray(1), prompt, vocab, `${where}.prompt`);
    checkIds(row.completion.subarray(row.prompt.length === 0 ? 1 : 0), completion, vocab, `${where}.${side}`);
    return row;
  };

  const exampleOf = ({ fields, lists, prompt, index, where }: Tokens, rotated: Int32Array | undefined): Example => {
    const rows = completions.map((side) => rowOf(prompt, lists[side] as Int32Array, where, side));
    if (rotated) rows.push(rowOf(prompt, readMismatched(fields, where) ?? rotated, where, "klCompletion"));
    return {
      index,
      rows,
      desirable: ofRows && readLabel(fields, where),
      refLogps: precomputed ? readLogps(fields, recipe, where) : undefined,
      rewardMargin: fields["rewardMargin"] === undefined ? undefined : numberAt(fields, ["rewardMargin"], where),
    };
  };

  return {
    read(examples, name, offset = 0) {
      if (!isList(examples)) throw new KindError(`${name}: expected a list of examples, got ${kindOf(examples)}`);
      const read = mapList(examples as readonly TrainExample[], name, (example, i) =>
        tokensOf(example, offset + i, `${name}[${offset + i}]`),
      );
      const kept = read.filter(({ prompt }) => !isTooLong(prompt));
      // TRL rotates completions within blocks of what it keeps of the data set, before any shuffle.
      const completionsOfKept = kept.map(({ lists }) => ({ completion: lists["completion"] as Int32Array }));
      const others = mismatched ? mismatch(completionsOfKept, Math.max(2, train.batchSize)) : [];
      return {
        kept: kept.map((tokens, i) => exampleOf(tokens, others[i]?.completion)),
        dropped: read.length - kept.length,
      };
    },
  };
}

/** Throws    ParamError for an id of a part of a list that the head has not */
function checkIds(part: Int32Array, list: Int32Array, vocab: number, name: string): void {
  const at = part.findIndex((id) => id < 0 || id >= vocab);
  if (at < 0) return;
  const place = (part.byteOffset - list.byteOffset) / list.BYTES_PER_ELEMENT + at;
  throw badId(name, place, part[at], vocab);
}

function recordAt(given: unknown, where: string): Fields {
  if (typeof given === "object" && given !== null) return given as Fields;
  throw new KindError(`${where}: expected an object with token lists, got ${kindOf(given)}`);
}

function readLabel(fields: Fields, where: string): boolean {
  const label = fields["label"] ?? fields["desirable"];
  if (typeof label === "boolean") return label;
  if (label === 0 || label === 1) return label === 1;
  throw new KindError(`${where}.label: expected true or false, got ${shown(label)}`);
}

/** The completion of the mismatched row, where the example brings it. */
function readMismatched(fields: Fields, where: string): Int32Array | undefined {
  const completion = fields["klCompletion"] ?? fields["KL_completion_ids"];
  return completion === undefined
    ? undefined
    : readExample({ completion }, ["completion"], `${where}.klCompletion`).completion;
}

/** What log-probs under the reference are called: this package's name first, then TRL's of every age. */
const names = {
  chosen: ["refChosenLogps", "ref_chosen_logps", "reference_chosen_logps"],
  rejected: ["refRejectedLogps", "ref_rejected_logps", "reference_rejected_logps"],
  row: ["refLogps", "ref_logps", "reference_logps"],
  mismatched: ["refKlLogps", "ref_KL_logps", "reference_KL_logps", "kl_ref_logps"],
} as const;

function readLogps(fields: Fields, { ofRows, mismatched }: Recipe, where: string): number[] {
  const rows = ofRows
    ? (["row", ...(mismatched ? (["mismatched"] as const) : [])] as const)
    : (["chosen", "rejected"] as const);
  return rows.map((row) => numberAt(fields, names[row], where));
}

function numberAt(fields: Fields, known: readonly string[], where: string): number {
  const name = known.find((key) => fields[key] !== undefined) ?? (known[0] as string);
  const value = fields[name];
  if (value === undefined) throw new ParamError("missing-input", `${where}.${name}: expected a number, got nothing`);
  if (typeof value !== "number") throw new KindError(`${where}.${name}: expected a number, got ${kindOf(value)}`);
  if (Number.isFinite(value)) return value;
  throw new ParamError("not-finite", `${where}.${name}: expected a finite number, got ${value}`);
}

/** Throws    ShapeError where nothing is left of a list */
export function refuseNone(kept: readonly Example[], name: string, dropped: number): void {
  if (kept.length > 0) return;
  const why = dropped > 0 ? `; ${dropped} were dropped, their prompts filling max_length` : "";
  throw new ShapeError("wrong-length", `${name}: expected at least one example, got 0${why}`);
}

/** Examples, or a stream of them, that make no batch. */
export const noBatch = (batchSize: number, dropLast: boolean, got: number | "fewer"): ShapeError =>
  new ShapeError(
    "wrong-length",
    dropLast
      ? `examples: expected a batch of ${batchSize} at least with dataloader_drop_last, got ${got}`
      : "examples: expected at least one example, got 0",
  );

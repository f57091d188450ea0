// The task that data and a model are.

import type { Dtype } from "../score/load.ts";
import { loadTokenizer } from "../score/load.ts";
import type { Settings } from "./config.ts";
import { openModelFolder } from "./model-folder.ts";
import { readExamples, referenceColumns, usualNames } from "./read-examples.ts";
import type { Task } from "./task.ts";

export interface TaskOptions {
  readonly data: readonly string[];
  readonly evalData: readonly string[];
  readonly model: string;
  readonly dtype: Dtype;
}

/** Throws    refusals that name file, line and field */
export async function openModelTask({ data, evalData, model, dtype }: TaskOptions, settings: Settings): Promise<Task> {
  const { tokenizer, chatTemplate } = await loadTokenizer(model);
  const { maxLength, truncationMode } = settings.collate;
  const options = { maxLength, truncationMode, chatTemplate };
  const train = await readExamples(data, tokenizer, options);
  const evaluation = evalData.length > 0 ? await readExamples(evalData, tokenizer, options) : undefined;
  const columns = referenceColumns(train.unit, settings.lossTypes);
  const isScored = train.have(columns) && (evaluation?.have(columns) ?? true);
  return {
    ...(await openModelFolder(model, dtype)),
    examples: train.examples,
    evalExamples: evaluation?.examples,
    reference: isScored ? "precomputed" : undefined,
    place: (i, isEvaluation) => (isEvaluation && evaluation ? evaluation : train).place(i),
    cutsAt: undefined,
    isInMemory: false,
    notes: [
      ...train.notes,
      ...(evaluation?.notes ?? []).map((note) => `--eval-data: ${note}`),
      ...(isScored
        ? [`the reference is what ${columns.map((column) => usualNames[column]).join(" and ")} of the data say`]
        : []),
    ],
  };
}

// From batches to a trained model: `linearLoss`, the way back to the tables, `adamw`.

import {
  type Backend,
  collate,
  collateRows,
  type LossOptions,
  type LossType,
  losses,
  mismatch,
  type PaddedBatch,
  type PaddedRows,
} from "dpo-kernels";
import { adamw, adamwState, clipGradNorm } from "dpo-kernels/train";
import { hiddenOf, hiddenSize, type Model, tablesGradient, vocab } from "./model.ts";

/** Two completions of a prompt. */
export interface Pair {
  readonly prompt: number[];
  readonly chosen: number[];
  readonly rejected: number[];
  /** By how much the reward of the chosen one is larger. */
  readonly margin: number;
}

type Tokens = PaddedBatch | PaddedRows;

const inputsOf = <T extends Tokens>(model: Model, tokens: T) => ({
  ...{ tokens, vocab, hiddenSize },
  hidden: hiddenOf(model, tokens),
  weight: model.head,
});

/** What losses of pairs and of rows take of some pairs: the latter both completions, the chosen one as desirable. */
export function newBatch(backend: Backend, pairs: readonly Pair[], reference: Model) {
  const referenceOf = (tokens: Tokens) => ({ logps: backend.sequenceLogps(inputsOf(reference, tokens)).logps });
  const rows = pairs.flatMap(({ prompt, chosen, rejected }) => [
    { prompt, completion: chosen },
    { prompt, completion: rejected },
  ]);
  const [ofPairs, ofRows, mismatched] = [collate(pairs), collateRows(rows), collateRows(mismatch(rows, rows.length))];
  return {
    pairs: { tokens: ofPairs, reference: referenceOf(ofPairs) },
    rewardMargin: Float32Array.from(pairs, ({ margin }) => margin),
    rows: { tokens: ofRows, reference: referenceOf(ofRows) },
    desirable: Uint8Array.from(rows, (_, i) => 1 - (i % 2)),
    mismatched: { tokens: mismatched, reference: referenceOf(mismatched) },
  };
}

/** Beside the loss. */
export type OwnOptions = Omit<LossOptions, "lossType">;

export type Batch = ReturnType<typeof newBatch>;

/** Loss and gradients of a batch. */
function lossOf(backend: Backend, model: Model, batch: Batch, lossType: LossType, options: OwnOptions) {
  const loss = losses[lossType];
  const given = { lossType, ...options };
  if (!("row" in loss)) {
    const { tokens, reference } = batch.pairs;
    const columns = "columns" in loss ? { rewardMargin: batch.rewardMargin } : {};
    return { tokens, ...backend.linearLoss({ ...inputsOf(model, tokens), reference, ...columns }, given) };
  }
  const { tokens, reference } = batch.rows;
  const { mismatched, desirable } = batch;
  const kl = "kl" in loss.params && {
    policy: backend.sequenceLogps(inputsOf(model, mismatched.tokens)).logps,
    reference: mismatched.reference.logps,
  };
  const inputs = { ...inputsOf(model, tokens), desirable, reference, ...(kl && { kl }) };
  return { tokens, ...backend.linearLoss(inputs, given) };
}

/** Trains the model in place, for as long as steps are asked for: a batch each, in their order, again and again. */
export function* trainModel(
  backend: Backend,
  model: Model,
  batches: readonly Batch[],
  { lossType, lr, ...options }: OwnOptions & { lossType: LossType; lr: number },
): Generator<number, never> {
  const parameters = [model.tables, model.head];
  const state = adamwState(parameters);
  for (let step = 0; ; step++) {
    const { loss, tokens, gradHidden, gradWeight } = lossOf(
      backend,
      model,
      batches[step % batches.length] as Batch,
      lossType,
      options,
    );
    const gradients = [tablesGradient(gradHidden, tokens), gradWeight as Float32Array];
    clipGradNorm(gradients, 1);
    adamw(parameters, gradients, state, { lr, weightDecay: 0 });
    yield loss;
  }
}

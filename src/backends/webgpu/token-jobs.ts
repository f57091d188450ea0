// Calls with tokens, checked and opened: where their tokens come from on the GPU, and where their gradients go.

import type { LinearGradients } from "../../engine.ts";
import type { AnyFloats, ArrayReader } from "../../inputs/floats.ts";
import { type AnyLinearBatch, checkLinear, type LinearJob } from "../../inputs/linear.ts";
import { type AnyLogitsBatch, checkLogitsLoss, type LogitsLossJob } from "../../inputs/logits.ts";
import type { OwnColumns } from "../../inputs/own-columns.ts";
import type { PromptTokens } from "../../inputs/prompts.ts";
import { type AnySequencesBatch, checkLogps, type LogpsJob } from "../../inputs/sequence-logps.ts";
import { type AnyGradBatch, checkLogpsGrad, type GradJob } from "../../inputs/sequence-logps-grad.ts";
import type { LossOptions } from "../../inputs/token-loss.ts";
import type { Outs } from "../../inputs/token-results.ts";
import type { RowLabels } from "../../inputs/token-rows.ts";
import type { TokenList } from "../../inputs/tokens.ts";
import type { Plan } from "../../plan/plan.ts";
import type { PackedTokens, SequenceLogpsGradOptions, SequenceLogpsOptions } from "../../types.ts";
import { isGpuArray, plainRangeOf } from "./device-arrays.ts";
import { type DeviceRows, toDeviceRows, toGradientRows } from "./device-rows.ts";
import { checkHead, headSource } from "./head.ts";
import type { HeadInputs } from "./head-parts.ts";
import { rowsSource } from "./rows.ts";
import type { DeviceIds, ReferenceSource, TokenJob } from "./sequences.ts";
import type { Gpu } from "./submit.ts";
import type { TokenSource } from "./token-source.ts";

/** A loss as it can be recorded. */
export interface LossJob extends TokenJob {
  readonly plan: Plan;
  readonly wpo: boolean;
  readonly gradScale: number;
  readonly reference: ReferenceSource;
  readonly columns: OwnColumns;
  /** What the policy reads where it reads prompts. */
  readonly prompts: PromptTokens | undefined;
}

/** An opened call. */
export interface OpenCall<Job> {
  readonly job: Job;
  /** Where results go that the caller names. */
  readonly outs: Outs;
  /** Returns what the call borrowed, once it is submitted or has failed. */
  release(): void;
}

/** An opened loss, and its gradients by name: as shaders see them, and as a result names them. */
export interface OpenLoss extends OpenCall<LossJob> {
  readonly gradients: Readonly<Record<string, AnyFloats>>;
  readonly results: Readonly<Record<string, unknown>>;
  /** Undefined where the tokens are pairs. */
  readonly rows: RowLabels | undefined;
}

/** Ids that lie on the GPU; they were checked with the rest of the tokens. */
function deviceIdsOf(tokens: object, { size: count }: TokenList): DeviceIds | undefined {
  const isPacked = (tokens as Partial<PackedTokens>).offsets !== undefined;
  const name = isPacked ? "targets" : "inputIds";
  const ids = (tokens as Record<string, unknown>)[name];
  if (!isGpuArray(ids)) return undefined;
  const range = { ...plainRangeOf(ids, `tokens.${name}`, "COPY_SRC", 4 * count), size: 4 * count };
  // In padded rows position t predicts token t + 1.
  return { range, positions: ({ places }) => Uint32Array.from(places, (place, k) => (isPacked ? k : place + 1)) };
}

/** Borrows the buffers of one call; if `open` fails they go back at once. */
function borrowing<T>(
  gpu: Gpu,
  open: (borrow: (floats: AnyFloats, width: number) => DeviceRows, keep: (rows: DeviceRows) => void) => T,
) {
  const borrowed: DeviceRows[] = [];
  const release = (): void => {
    for (const { release } of borrowed) release();
  };
  const borrow = (floats: AnyFloats, width: number): DeviceRows => {
    const rows = toDeviceRows(gpu, floats, width);
    borrowed.push(rows);
    return rows;
  };
  try {
    return { ...open(borrow, (rows) => borrowed.push(rows)), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Checks and opens sequenceLogps. Throws    as every backend's checks; BackendError for a row that is too long */
export function openLogps(
  gpu: Gpu,
  reader: ArrayReader<AnyFloats>,
  batch: AnySequencesBatch,
  options: SequenceLogpsOptions,
): OpenCall<TokenJob> & { readonly checked: LogpsJob<AnyFloats> } {
  const checked = checkLogps(reader, batch, options);
  const { list, vocab, source, transform, ldAlpha } = checked;
  return borrowing(gpu, (borrow) => {
    const policy = source.head
      ? openHeadSource(gpu, { head: source.head, list, vocab })
      : rowsSource(gpu, { ...list, vocab, transform, logits: borrow(source.logits, vocab) });
    const each = checked.entropy;
    const statistics = each || options.metrics === "full";
    const job = { list, vocab, ldAlpha, statistics, each, ids: deviceIdsOf(batch.tokens, list), policy };
    return { job, outs: checked, checked };
  });
}

function openHeadSource(gpu: Gpu, inputs: HeadInputs, out?: LinearGradients<AnyFloats>): TokenSource {
  checkHead(gpu, inputs);
  return headSource(gpu, inputs, out);
}

/** Checks and opens sequenceLogpsGrad. Throws    as every backend's checks; BackendError for a row or a head that is too long */
export function openLogpsGrad(
  gpu: Gpu,
  reader: ArrayReader<AnyFloats>,
  batch: AnyGradBatch,
  options: Omit<SequenceLogpsGradOptions, "out"> & { readonly out?: object | undefined },
): {
  readonly checked: GradJob<AnyFloats>;
  readonly policy: TokenSource;
  readonly ids: DeviceIds | undefined;
  release(): void;
} {
  const checked = checkLogpsGrad(reader, batch, options);
  const ids = deviceIdsOf(batch.tokens, checked.list);
  const { list, vocab, source, transform, ofLogits, ofHead } = checked;
  return borrowing(gpu, (borrow, keep) => {
    if (source.head) {
      const out = (ofHead as NonNullable<typeof ofHead>).places;
      return { checked, ids, policy: openHeadSource(gpu, { head: source.head, list, vocab }, out) };
    }
    const from = borrow(source.logits, vocab);
    const to = toGradientRows(gpu, source.logits, from, (ofLogits as NonNullable<typeof ofLogits>).gradient, vocab);
    keep(to.gradient);
    return { checked, ids, policy: rowsSource(gpu, { ...list, vocab, transform, logits: from, ...to }) };
  });
}

/** What opens a loss. */
interface LossCall<Batch> {
  readonly gpu: Gpu;
  readonly reader: ArrayReader<AnyFloats>;
  readonly batch: Batch;
  readonly plan: Plan;
  readonly options: LossOptions;
}

function lossJobOf(
  { gpu, batch, plan, options }: LossCall<AnyLogitsBatch | AnyLinearBatch>,
  { list, vocab, ldAlpha, wpo, reference, columns, prompts }: LogitsLossJob<AnyFloats> | LinearJob<AnyFloats>,
  policy: TokenSource,
  borrow: (floats: AnyFloats, width: number) => DeviceRows,
): LossJob {
  const sourceOf = (): ReferenceSource => {
    if (!reference || "logps" in reference) return reference;
    if ("logits" in reference) {
      const { logits, transform } = reference;
      return rowsSource(gpu, { ...list, vocab, transform, logits: borrow(logits, vocab) });
    }
    checkHead(gpu, { ...reference, list, vocab });
    return headSource(gpu, { ...reference, list, vocab });
  };
  const { gradScale = 1, metrics } = options;
  const statistics = wpo || metrics === "full";
  const ids = deviceIdsOf(batch.tokens, list);
  return {
    plan,
    list,
    vocab,
    ldAlpha,
    wpo,
    columns,
    prompts,
    gradScale,
    statistics,
    ids,
    policy,
    reference: sourceOf(),
  };
}

function openLogits(call: LossCall<AnyLogitsBatch>): OpenLoss {
  const { gpu, reader, batch, plan, options } = call;
  const checked = checkLogitsLoss(reader, batch, plan, options);
  const { vocab, logits, transform, gradient, gradLogits, prompts, list } = checked;
  const all = prompts?.all ?? list;
  return borrowing(gpu, (borrow, keep) => {
    const from = borrow(logits, vocab);
    const to = toGradientRows(gpu, logits, from, gradient, vocab);
    keep(to.gradient);
    const job = lossJobOf(call, checked, rowsSource(gpu, { ...all, vocab, transform, logits: from, ...to }), borrow);
    return { job, gradients: { gradLogits: gradient }, results: { gradLogits }, rows: checked.rows, outs: checked };
  });
}

function openHead(call: LossCall<AnyLinearBatch>): OpenLoss {
  const { gpu, reader, batch, plan, options } = call;
  const checked = checkLinear(reader, batch, plan, options);
  const { head, vocab, gradients, results, places, prompts } = checked;
  const list = prompts?.all ?? checked.list;
  checkHead(gpu, { head, list, vocab });
  return borrowing(gpu, (borrow) => {
    const job = lossJobOf(call, checked, headSource(gpu, { head, list, vocab }, places), borrow);
    return { job, gradients, results, rows: checked.rows, outs: checked };
  });
}

/** Checks and opens a loss. Throws    as every backend's checks; BackendError for a row or a head that is too long */
export const openers = { logitsLoss: openLogits, linearLoss: openHead };

// Checkpoints in a store: tensors in safetensors, the rest in JSON that names their hash. The JSON is written last, so a checkpoint
// that has one is whole; and older ones go only after that, so whatever fails leaves the one before.

import { quoted } from "../../checks/printable.ts";
import { KindError, ParamError } from "../../errors.ts";
import { isRecord, reasonIn } from "../../messages.ts";
import { readSafetensors, type SafetensorsFile } from "../../safetensors/read.ts";
import { type TensorToWrite, writeSafetensors } from "../../safetensors/write.ts";
import type { BestSoFar } from "./best.ts";
import { digest, digestOfText } from "./digest.ts";
import type { Taken } from "./evaluation.ts";
import type { Sums } from "./metrics.ts";
import type { Store } from "./types.ts";

/** What training a checkpoint belongs to: hashes, and the settings that decide which examples come next. */
export interface Identity {
  /** Of the head at the start, the reference and the adapter's shape. */
  readonly model: string;
  /** Of the examples' tokens; absent for a stream. */
  readonly examples?: string | undefined;
  /** Batches, epochs, seed: what decides which examples a step has. */
  readonly order: string;
}

/** The part of a checkpoint that is no tensor. */
export interface Saved {
  readonly step: number;
  readonly tokens: number;
  readonly log: Sums;
  /** The step itself, where its evaluation is still to come. */
  readonly taken?: Taken | undefined;
  /** The rewards' running mean. */
  readonly shift?: { mean: number; count: number } | undefined;
  /** The best evaluation so far. */
  readonly best?: BestSoFar | undefined;
  readonly identity: Identity;
  readonly config: Readonly<Record<string, unknown>>;
}

interface Manifest extends Saved {
  readonly format: 1;
  /** SHA-256 of the tensors' file. */
  readonly tensors: string;
}

export interface Found {
  readonly saved: Saved;
  readonly tensors: SafetensorsFile["tensors"];
}

// JSON has no signs for NaN and infinities, which the means of a training that diverges have.
const asText = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
const asNumber = (_key: string, value: unknown): unknown =>
  value === "NaN" || value === "Infinity" || value === "-Infinity" ? Number(value) : value;

const nameOf = (step: number): string => `checkpoint-${step}`;
const pattern = /^checkpoint-(\d{1,15})\.(json|safetensors)$/;

/** Writes a checkpoint. Throws    what the store throws; nothing is lost then */
export async function writeCheckpoint(
  store: Store,
  saved: Saved,
  tensors: Readonly<Record<string, TensorToWrite>>,
): Promise<void> {
  const name = nameOf(saved.step);
  const file = writeSafetensors(tensors, { format: "dpo-kernels training" });
  const manifest: Manifest = { format: 1, ...saved, tensors: await digest(file) };
  const text = JSON.stringify(manifest, asText);
  await store.write(`${name}.safetensors`, file);
  await store.write(`${name}.json`, new TextEncoder().encode(`${JSON.stringify(await digestOfText(text))}\n${text}\n`));
}

/** Removes all but that of a step and the newest others, `keep` in all. Throws    what the store throws */
export async function removeOthers(store: Store, own: number, keep: number): Promise<void> {
  const old = stepsIn(await store.list())
    .filter((step) => step !== own)
    .slice(Math.max(0, keep - 1));
  for (const step of old) await removeCheckpoint(store, step);
}

// The manifest goes first: what is left of a removal that is cut short is no checkpoint.
async function removeCheckpoint(store: Store, step: number): Promise<void> {
  await store.remove(`${nameOf(step)}.json`);
  await store.remove(`${nameOf(step)}.safetensors`);
}

/** The names of the checkpoints of which there is anything in a store, the newest first. */
export const checkpointsIn = async (store: Store): Promise<string[]> => stepsIn(await store.list()).map(nameOf);

/** The steps of the checkpoints of which there is anything, the newest first. */
function stepsIn(names: readonly string[]): number[] {
  const steps = names.flatMap((name) => {
    const [, step] = pattern.exec(name) ?? [];
    return step === undefined ? [] : [Number(step)];
  });
  return [...new Set(steps)].sort((a, b) => b - a);
}

/**
 * The newest checkpoint that is whole; those that are not, or that the store does not give, are named in warnings.
 *
 * Throws    what the store throws, if there is no other one; ParamError for a whole one of another training
 */
export async function findCheckpoint(
  store: Store,
  identity: Identity,
  warn: (text: string) => void,
): Promise<Found | undefined> {
  let failure: { readonly error: unknown } | undefined;
  for (const step of stepsIn(await store.list())) {
    const name = nameOf(step);
    const passOver = (error: unknown, what: string): undefined => {
      warn(`${name}: ${what}, passed over: ${reasonIn(error)}`);
    };
    const files = await filesOf(store, name).catch((error: unknown) => {
      failure = { error };
      return passOver(error, "not read");
    });
    const read = files && (await readCheckpoint(files, step).catch((error: unknown) => passOver(error, "damaged")));
    if (!read) continue;
    refuseOther(read.saved.identity, identity, name);
    return read;
  }
  // What cannot be read now may be whole: to begin anew would be to lose it.
  if (failure) throw failure.error;
  return undefined;
}

type Files = readonly [manifest: Uint8Array | undefined, tensors: Uint8Array | undefined];

const filesOf = (store: Store, name: string): Promise<Files> =>
  Promise.all([store.read(`${name}.json`), store.read(`${name}.safetensors`)]);

async function readCheckpoint([manifest, file]: Files, step: number): Promise<Found> {
  const name = nameOf(step);
  if (!manifest) throw new KindError(`${name}.json: expected a file, got none`);
  if (!file) throw new KindError(`${name}.safetensors: expected a file, got none`);
  const { tensors: hash, ...saved } = await readManifest(manifest, `${name}.json`);
  if (saved.step !== step) throw new KindError(`${name}.json: expected step ${step}, got ${saved.step}`);
  const own = await digest(file);
  if (own !== hash) throw new KindError(`${name}.safetensors: expected SHA-256 ${hash}, got ${own}`);
  return { saved, tensors: readSafetensors(file).tensors };
}

async function readManifest(bytes: Uint8Array, name: string): Promise<Manifest> {
  const [first = "", text = ""] = new TextDecoder().decode(bytes).split("\n");
  const own = JSON.stringify(await digestOfText(text));
  if (first !== own)
    throw new KindError(`${name}: expected its SHA-256 in the first line, got ${quoted(first.slice(0, 80))}`);
  // What bears its own hash is as it was written, by whoever it was.
  const manifest = JSON.parse(text, asNumber) as Partial<Manifest>;
  const { format, step, tokens, tensors, log, taken, shift, best, identity, config } = manifest;
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  const isNumbers = (value: unknown): boolean =>
    isRecord(value) && Object.values(value).every((number) => typeof number === "number");
  const checks: Record<string, boolean> = {
    format: format === 1,
    step: isCount(step),
    tokens: isCount(tokens),
    tensors: typeof tensors === "string",
    log: isRecord(log) && isNumbers(log.values) && isNumbers(log.weights),
    taken:
      taken === undefined ||
      (taken.step === step && isNumbers(taken.metrics) && (taken.log === undefined || isNumbers(taken.log))),
    shift: shift === undefined || (isNumbers(shift) && isCount(shift.count)),
    best:
      best === undefined || (isCount(best.step) && typeof best.value === "number" && typeof best.metric === "string"),
    identity: isRecord(identity),
    config: isRecord(config),
  };
  const wrong = Object.keys(checks).find((key) => !checks[key]);
  if (wrong === undefined) return manifest as Manifest;
  throw new KindError(`${name}: ${wrong}: expected that of a checkpoint of format 1, got another`);
}

const words: Readonly<Record<keyof Identity, string>> = {
  model: "the head and reference at the start",
  examples: "the examples",
  order: "batch size, accumulation, seed and shuffle",
};

function refuseOther(found: Identity, own: Identity, name: string): void {
  for (const key of Object.keys(words) as (keyof Identity)[]) {
    if (found[key] === own[key]) continue;
    throw new ParamError(
      "out-of-range",
      `${name}: expected a checkpoint of this training, got one of another: ${words[key]} differ`,
    );
  }
}

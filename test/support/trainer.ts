// A small training for tests of createTrainer: pairs and rows made up from a seed, a head, and a backbone whose numbers depend in their
// last bits on what else is in the batch, as a real model's do.

import { randomOf } from "../../src/train/trainer/order.ts";
import type { BackboneBatch, PairExample, RowExample, Store, TrainerOptions, TrainStep } from "../../src/train.ts";
import { createTrainer } from "../../src/train.ts";

export const vocab = 40;
export const hiddenSize = 6;

const random = randomOf(5, 0);
const ids = (least: number, most: number): number[] =>
  Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, () => Math.floor(random() * vocab));

export const pairs: readonly PairExample[] = Array.from({ length: 22 }, () => ({
  prompt: ids(1, 6),
  chosen: ids(1, 7),
  rejected: ids(1, 7),
}));

export const rows: readonly RowExample[] = Array.from({ length: 22 }, (_, i) => ({
  prompt: ids(1, 6),
  completion: ids(1, 7),
  label: i % 3 > 0,
}));

const embedding = Float32Array.from({ length: vocab * hiddenSize }, () => random() - 0.5);
const startWeight = Float32Array.from({ length: vocab * hiddenSize }, () => random() - 0.5);

/** A head to train, always the same one. */
export const newHead = () => ({ weight: startWeight.slice(), vocab, hiddenSize });

/** Running means of embeddings, a little more in a longer batch. */
export function backbone({ rows, length, inputIds }: BackboneBatch): Float32Array {
  const hidden = new Float32Array(rows * length * hiddenSize);
  for (let r = 0; r < rows; r++) {
    for (let t = 0; t < length; t++) {
      for (let d = 0; d < hiddenSize; d++) {
        const at = (r * length + t) * hiddenSize + d;
        const before = t > 0 ? (hidden[at - hiddenSize] as number) : 0;
        const own = embedding[(inputIds[r * length + t] as number) * hiddenSize + d] as number;
        hidden[at] = 0.5 * before + own * (1 + 1e-6 * (length + rows));
      }
    }
  }
  return hidden;
}

export type Given = Partial<TrainerOptions>;

/** A trainer of these examples; nothing is printed. */
export const newTrainer = (config: Record<string, unknown>, given: Given = {}) =>
  createTrainer({
    config: { per_device_train_batch_size: 4, learning_rate: 1e-2, ...config },
    examples: pairs,
    backbone,
    head: newHead(),
    onWarning: () => undefined,
    ...given,
  });

/** The steps that are left, `most` of them at most. */
export async function take(trainer: AsyncIterable<TrainStep>, most = Infinity): Promise<TrainStep[]> {
  const steps: TrainStep[] = [];
  if (most === 0) return steps;
  for await (const step of trainer) {
    steps.push(step);
    if (steps.length >= most) break;
  }
  return steps;
}

/** A store in memory; `files` may be spoilt. */
export function memoryStore(): Store & { files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    read: async (name) => files.get(name),
    write: async (name, bytes) => void files.set(name, bytes.slice()),
    list: async () => [...files.keys()],
    remove: async (name) => void files.delete(name),
  };
}

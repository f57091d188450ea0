// A worker's side: the engines of this thread, asked shard by shard.

import { eachRow } from "../../cpu/rows.ts";
import { BackendError, WorkerError } from "../../errors.ts";
import type { FloatData } from "../../inputs/floats.ts";
import { noSums } from "../../inputs/pair-sums.ts";
import type { PairJob } from "../../inputs/pairs.ts";
import { createEngines, ENGINE_BYTES } from "../../kernels/engines.ts";
import { createLinearShards } from "../../kernels/head.ts";
import { instantiate, type KernelExports, STATIC_BYTES } from "../../kernels/load.ts";
import { lossTable } from "../../losses/index.ts";
import type { Term } from "../../plan/plan.ts";
import { enter, type Gate, isShut, leave } from "./gate.ts";
import type {
  Answer,
  BackwardTask,
  ForwardTask,
  GradientTask,
  PairsTask,
  ReadTask,
  SentFloats,
  SentHead,
  SentRows,
  SentTerm,
  Setup,
  WorkerApi,
} from "./protocol.ts";
import { isShared } from "./shared-memory.ts";
import { version } from "./version.ts";
import { toWire } from "./wire-error.ts";

const PAGE = 65536;

/** Bytes of memory that a worker needs for itself: the kernels' scratch memory, then the engines' buffers. */
export const AREA_BYTES = PAGE + ENGINE_BYTES;

/** Marks the buffers in an answer that are to be moved. */
export type Move = <T extends object>(value: T, buffers: ArrayBuffer[]) => T;

/** The calls of a worker; `move` is comlink's `transfer`. */
export function serve(move: Move): WorkerApi {
  let engines: ReturnType<typeof makeEngines> | undefined;
  let gate: Gate | undefined;
  const resident = new WeakSet<ArrayBufferLike>();
  const kept = new Map<number, FloatData>();
  /** Those of shards of a head, by number. */
  const formed = new Map<number, Float32Array<ArrayBuffer>>();

  const started = () => {
    if (!engines) throw new BackendError("unavailable", "worker: expected start() before any other call");
    return engines;
  };
  const receive = ({ type, data, resident: isResident }: SentFloats): FloatData => {
    if (isResident) resident.add(data.buffer);
    return { type, data };
  };
  const rowsOf = ({ logits, vocab, rows, targets, positions, transform }: SentRows) => {
    const floats = typeof logits === "number" ? kept.get(logits) : receive(logits);
    if (!floats) throw new WorkerError("worker: expected logits kept from the forward pass, got none");
    if (typeof logits === "number") kept.delete(logits);
    return { logits: floats, vocab, rows, targets, positions, transform };
  };

  const drop = (key: number): void => {
    // Gives the memory back at once, where the engine can.
    formed.get(key)?.buffer.transfer?.(0);
    formed.delete(key);
    kept.delete(key);
  };

  // Errors as values. What is not one of ours is a defect: the pool replaces the worker that it left in an unknown state.
  const answer =
    <Task, T>(work: (task: Task) => { value: T }): ((task: Task) => Answer<T>) =>
    (task) => {
      if (gate && !enter(gate)) return { error: toWire(stopped()) };
      try {
        return work(task);
      } catch (error) {
        return { error: toWire(error) };
      } finally {
        if (gate) leave(gate);
      }
    };

  return {
    start: answer((setup: Setup) => {
      if (setup.version !== version) {
        const got = setup.version === undefined ? "an older version, which names none" : setup.version;
        throw new WorkerError(`worker: expected a pool of dpo-kernels ${version}, got one of ${got}`);
      }
      engines = makeEngines(setup, (array) => resident.has(array.buffer));
      gate = setup.gate;
      return { value: version };
    }),
    read: answer((task: ReadTask) => {
      const rows = rowsOf(task);
      const make = () => new Float64Array(rows.rows.length);
      const { statistics, chosen, keep } = task;
      const sums = {
        max: make(),
        sum: make(),
        label: make(),
        hit: new Uint8Array(chosen),
        statistics: statistics ? { weighted: make(), squares: make(), total: make() } : undefined,
      };
      started().rows.read(rows, sums, keep !== undefined);
      if (keep !== undefined) kept.set(keep, rows.logits);
      const buffer = keep === undefined ? ownBuffer(rows.logits.data) : undefined;
      return move({ value: { ...sums, buffer } }, buffer ? [buffer] : []);
    }),
    gradient: answer(({ g, max, sum, entropy, out, type, clear, ...task }: GradientTask) => {
      const rows = rowsOf(task);
      const { logits } = rows;
      const to = out ? receive(out) : type === logits.type && ownBuffer(logits.data) ? logits : makeRows(type, rows);
      started().rows.gradient(rows, g, { max, sum }, { out: to, clear }, entropy);
      const data = out ? undefined : (to.data as Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>);
      const buffer = to.data === logits.data ? undefined : ownBuffer(logits.data);
      const moved = [data?.buffer, buffer].filter((each) => each !== undefined);
      return move({ value: { rows: data, buffer } }, moved);
    }),
    pairs: answer((task: PairsTask) => {
      const { pairs, per, arrays, results } = task;
      const given: Partial<Record<string, ArrayBufferView>> = { ...arrays, ...results };
      for (const name of task.resident) if (given[name]) resident.add(given[name].buffer);
      const sums = Array.from({ length: Math.ceil(pairs / per) }, (_, i) => {
        const shard = noSums();
        started().pairs.compute(toJob(task, i * per, Math.min((i + 1) * per, pairs)), shard);
        return shard;
      });
      const own = Object.values(results).map((data) => data && ownBuffer(data));
      return move(
        { value: { sums, results } },
        own.filter((buffer) => buffer !== undefined),
      );
    }),
    forward: answer(({ head, statistics, keep }: ForwardTask) => {
      const { linear } = started();
      linear.reserve(head);
      const room = keep === undefined ? undefined : linear.keep?.(head);
      const sums = linear.forward(head, statistics, room);
      if (keep !== undefined && room) formed.set(keep, room);
      const copies = ownBuffers(floatsOf(head));
      return move({ value: { sums, copies } }, [sums.buffer as ArrayBuffer, ...copies]);
    }),
    backward: answer(({ head, slopes, entropies, kept: own, out }: BackwardTask) => {
      const logits = own && formed.get(own.key);
      let hidden: { data: Float32Array<ArrayBuffer>; stride: number };
      try {
        const rows = started().linear.backward(head, slopes, out, logits && { ...own, logits }, entropies);
        // Out of the kernels' memory.
        hidden = { data: Float32Array.from(rows.data), stride: rows.stride };
      } finally {
        if (own) drop(own.key);
      }
      const results = ownBuffers([out.weight, out.bias, out.b]);
      const copies = ownBuffers(floatsOf(head));
      return move({ value: { hidden, out, copies } }, [hidden.data.buffer, ...results, ...copies]);
    }),
    drop: answer((keys: number[]) => {
      for (const key of keys) drop(key);
      return { value: undefined };
    }),
  };
}

const floatsOf = ({ hidden, weight, bias, lora }: SentHead) => [hidden, weight, bias, lora?.a, lora?.b, lora?.u];

/** The buffers that were moved here, each once. */
function ownBuffers(floats: readonly (SentFloats | undefined)[]): ArrayBuffer[] {
  const buffers = floats.map((each) => each && ownBuffer(each.data));
  return [...new Set(buffers.filter((buffer) => buffer !== undefined))];
}

const stopped = (): WorkerError => new WorkerError("worker: it was stopped");

/**
 * Kernels that do nothing any more once the gate is shut, in the middle of a task too. It is looked at when a kernel is looked up,
 * which takes 3 ns; in a function around the kernel it took 50.
 */
function stoppable(kernels: KernelExports, gate: Gate | undefined): KernelExports {
  if (!gate) return kernels;
  const guarded = {};
  for (const [name, kernel] of Object.entries(kernels)) {
    const get = (): unknown => {
      if (isShut(gate)) throw stopped();
      return kernel;
    };
    Object.defineProperty(guarded, name, typeof kernel === "function" ? { get } : { value: kernel });
  }
  return guarded as KernelExports;
}

function makeEngines({ module, shared, gate }: Setup, isResident: (array: ArrayBufferView) => boolean) {
  const pages = Math.ceil((STATIC_BYTES + ENGINE_BYTES) / PAGE);
  const memory = shared?.memory ?? new WebAssembly.Memory({ initial: pages, maximum: pages });
  const own = shared ? instantiate(shared.module, memory, shared.area) : instantiate(module, memory);
  const kernels = stoppable(own, gate);
  const base = shared ? shared.area + PAGE : STATIC_BYTES;
  const { pairs, rows } = createEngines(module, kernels, memory, base, isResident);
  return {
    pairs,
    rows: eachRow(rows),
    linear: createLinearShards(module, (...args) => stoppable(instantiate(...args), gate)),
  };
}

/** The buffer of a copy that was moved here; undefined for views of shared memory. */
const ownBuffer = ({ buffer }: ArrayBufferView): ArrayBuffer | undefined =>
  isShared(buffer) ? undefined : (buffer as ArrayBuffer);

function makeRows(type: FloatData["type"], { positions, vocab }: { positions: number; vocab: number }): FloatData {
  return { type, data: new (type === "f32" ? Float32Array : Uint16Array)(positions * vocab) };
}

const received = ({ id, ...term }: SentTerm): Term => ({ ...term, loss: lossTable[id], shiftAt: -1, klAt: -1 });

/** The pairs from..to−1 of a task. */
function toJob(task: PairsTask, from: number, to: number): PairJob {
  const { terms, beta, argument, odds, hasEmpty, likelihood, scale } = task;
  const part = <A extends object>(arrays: A): A =>
    Object.fromEntries(
      Object.entries(arrays).map(([name, array]) => [name, (array as Float32Array | undefined)?.subarray(from, to)]),
    ) as A;
  return {
    plan: { terms: terms.map(received), beta, argument, odds, shift: undefined, rowNll: 0, logged: undefined },
    pairs: to - from,
    ...part(task.arrays),
    ...part(task.results),
    hasEmpty,
    // The slope is of the mean over the pairs that the engine sees.
    likelihood: (at: number) => {
      const [value = 0, slope = 0] = likelihood[at] ?? [];
      return [value, slope / (to - from)];
    },
    scale,
  } as PairJob;
}

// A head on the workers, shard by shard of the vocabulary; merged in order, as this thread would merge its own.

import { type Remote, transfer } from "comlink";
import { headOf, startGradient, startSums } from "../../cpu/head.ts";
import { countKept, cutGradients, cutHead, cutVocabulary, type LinearHead } from "../../cpu/head-shards.ts";
import type { HeadEngine, MaybePromise } from "../../engine.ts";
import type { FloatData } from "../../inputs/floats.ts";
import { arrayKind } from "../../messages.ts";
import { backwardAnswer, forwardAnswer, nothing, type Sound } from "./answers.ts";
import { breakEven } from "./break-even.ts";
import type { Copies } from "./copies.ts";
import { newKey, type PoolWorker } from "./pool-worker.ts";
import type {
  Answer,
  BackwardAnswer,
  BackwardTask,
  ForwardAnswer,
  SentFloats,
  SentHead,
  WorkerApi,
} from "./protocol.ts";
import type { Call } from "./queue.ts";
import { gatherRows, upTo } from "./row-shards.ts";
import { runShards } from "./run-shards.ts";
import { isShared } from "./shared-memory.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** What the engines of all calls share. */
export interface LinearMeans {
  readonly workers: WorkerPool;
  readonly copies: Copies;
  /** The engine of the calling thread, for work that is too small to send. */
  readonly local: HeadEngine<LinearHead, void>;
  /** Whether shared arrays go by reference. */
  readonly shares: boolean;
}

const expected = (floats: FloatData | undefined) =>
  floats && { kind: arrayKind(floats.data), length: floats.data.length };

type Range = ReturnType<typeof cutVocabulary>[number];

/** Logits of a shard, where they were formed. */
interface Kept {
  readonly worker: PoolWorker;
  readonly key: number;
}

/** The engine of one call; `release` has workers forget what they keep for it. */
export function createHeadEngine(
  { workers, copies, local, shares }: LinearMeans,
  call: Call,
  onTokens: (count: number, total: number) => void,
): { engine: HeadEngine<LinearHead>; release: () => void } {
  /** By the first id. */
  const kept = new Map<number, Kept>();

  const isSmall = ({ rows, width, vocab }: Pick<LinearHead, "rows" | "width" | "vocab">): boolean =>
    rows.length * width * vocab < breakEven.products;

  const letGo = (_done: MaybePromise): void => call.held.release();

  /** Floats as they travel: copies are noted in `made`. */
  const send = ({ type, data }: FloatData, made: SentFloats[]): SentFloats => {
    if (shares && isShared(data.buffer)) return { type, data, resident: false };
    const copy = copies.take(type, data.length);
    copy.data.set(data);
    made.push(copy);
    return copy;
  };

  const sendHead = (head: LinearHead, made: SentFloats[]): SentHead => {
    const { hidden, weight, bias, lora } = head;
    return {
      ...head,
      hidden: send(hidden, made),
      weight: send(weight, made),
      bias: bias && send(bias, made),
      lora: lora && { ...lora, a: send(lora.a, made), b: send(lora.b, made), u: send(lora.u, made) },
    };
  };

  const moved = (made: readonly SentFloats[]): ArrayBuffer[] =>
    made.filter(({ resident }) => !resident).map(({ data }) => data.buffer as ArrayBuffer);

  /** Asks a worker and uses its answer; then copies go back. */
  const ask = async <T extends { copies: ArrayBuffer[] }, R>(
    worker: PoolWorker,
    made: SentFloats[],
    question: (api: Remote<WorkerApi>) => Promise<Answer<T>>,
    isSound: Sound,
    use: (answer: T) => R,
  ): Promise<R> => {
    try {
      const answer = await worker.ask((api) => {
        call.held.all();
        return question(api);
      }, isSound);
      call.held.outputs();
      const result = use(answer);
      for (const { data, resident } of made) if (resident) copies.giveBack(data);
      for (const buffer of answer.copies) copies.giveBack(new Uint8Array(buffer));
      return result;
    } catch (error) {
      for (const { data, resident } of made) if (resident) copies.giveBack(data);
      throw error;
    }
  };

  /** The head with the hidden states that count together, where all of them would have to be copied. */
  const together = (head: LinearHead): { head: LinearHead; release: () => void } => {
    const { hidden, rows, width } = head;
    call.held.inputs();
    if (shares && isShared(hidden.data.buffer)) return { head, release: () => {} };
    const copy = copies.take(hidden.type, rows.length * width);
    gatherRows(hidden.data, rows, width, copy.data);
    return { head: { ...head, hidden: copy, rows: upTo(rows.length) }, release: () => copies.giveBack(copy.data) };
  };

  /** Every shard on some worker; `take` gets what they come to, in the order of the vocabulary. */
  const onWorkers = async <T>(
    head: LinearHead,
    ranges: readonly Range[],
    work: (shard: LinearHead, worker: PoolWorker, range: Range) => Promise<T>,
    take: (range: Range, result: T) => void,
  ): Promise<void> => {
    await call.turn();
    const { head: whole, release } = together(head);
    const tokens = head.rows.length;
    const early = new Map<Range, T>();
    let next = 0;
    const inOrder = async (range: Range, worker: PoolWorker): Promise<void> => {
      call.held.inputs();
      early.set(range, await work(cutHead(whole, range), worker, range));
      onTokens(tokens / ranges.length, tokens);
      for (let at = ranges[next]; at && early.has(at); at = ranges[++next]) {
        take(at, early.get(at) as T);
        early.delete(at);
      }
    };
    const home = ({ from }: Range): PoolWorker | undefined => kept.get(from)?.worker;
    await runShards(workers, call, ranges, inOrder, home).finally(release);
  };

  const engine: HeadEngine<LinearHead> = {
    // Workers reserve their own memory with the forward pass, before anything is written.
    open(given, list, vocab, isForward) {
      const small = isSmall({ rows: list.rows, width: given.width, vocab });
      return small ? local.open(given, list, vocab, isForward) : headOf(given, list, vocab);
    },
    async read(head, sums, again, keep) {
      if (isSmall(head)) return local.read(head, sums, again, keep);
      const ranges = cutVocabulary(head);
      const last = again ? ranges[countKept(head, ranges, keep) - 1] : undefined;
      const merge = startSums(head, sums);
      const statistics = sums.statistics !== undefined;
      await onWorkers(
        head,
        ranges,
        (shard, worker, { from }) => {
          const made: SentFloats[] = [];
          const key = last && from <= last.from ? newKey() : undefined;
          if (key !== undefined) kept.set(from, { worker, key });
          const question = (api: Remote<WorkerApi>) => {
            const task = { head: sendHead(shard, made), statistics, keep: key };
            return api.forward(transfer(task, moved(made))) as Promise<Answer<ForwardAnswer>>;
          };
          return ask(worker, made, question, forwardAnswer(shard.rows.length), (answer) => answer.sums);
        },
        merge,
      );
    },
    async gradient(head, g, sums, out, entropy) {
      if (isSmall(head)) return letGo(local.gradient(head, g, sums, out, entropy));
      const { live, picked, ranges, slopes, entropies, add, finish } = startGradient(head, g, sums, out, entropy);
      // Where there is nothing to do, no worker is asked.
      if (ranges.length === 0) return letGo(finish());
      await onWorkers(
        live,
        ranges,
        (shard, worker, range) => {
          const made: SentFloats[] = [];
          // Another worker has to form them anew.
          const home = kept.get(range.from);
          const own = home?.worker === worker ? { key: home.key, picked } : undefined;
          const { weight, bias, b, ...how } = cutGradients(out, live, range);
          const targets = { weight, bias, b };
          let into: typeof targets = targets;
          const { from, to } = how.states;
          // Gradients whose copy was moved: those in shared memory are where they belong.
          const cameBack = () => {
            const all = Object.entries(into as Record<string, SentFloats | undefined>);
            const own = all.filter(([, sent]) => sent && made.includes(sent) && !sent.resident);
            return Object.fromEntries(own.map(([name]) => [name, expected(targets[name as keyof typeof targets])]));
          };
          const question = (api: Remote<WorkerApi>) => {
            const task = sendHead(shard, made);
            const [sentWeight, sentBias, sentB] = [weight, bias, b].map((each) => each && send(each, made));
            into = { weight: sentWeight, bias: sentBias, b: sentB };
            const results = { ...into, ...how } as BackwardTask["out"];
            const sent = { head: task, slopes, entropies, kept: own, out: results };
            return api.backward(transfer(sent, moved(made))) as Promise<Answer<BackwardAnswer>>;
          };
          const isSound: Sound = (value) => backwardAnswer(shard.rows.length, to - from, cameBack())(value);
          return ask(worker, made, question, isSound, (answer) => {
            for (const name of ["weight", "bias", "b"] as const) {
              const [target, sent] = [targets[name], into[name] as SentFloats | undefined];
              if (!target || !sent || !made.includes(sent)) continue;
              const { data } = sent.resident ? sent : (answer.out[name] as SentFloats);
              target.data.set(data);
              if (!sent.resident) copies.giveBack(data);
            }
            kept.delete(range.from);
            return answer.hidden;
          });
        },
        (_range, hidden) => add(hidden),
      );
      call.held.outputs();
      letGo(finish());
    },
  };
  return {
    engine,
    release() {
      for (const { worker, key } of kept.values()) {
        if (!worker.failure)
          worker.ask((api) => api.drop([key]) as Promise<Answer<undefined>>, nothing).catch(() => {});
      }
      kept.clear();
    },
  };
}

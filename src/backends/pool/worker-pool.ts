// The workers of a pool and the shards that wait for them: first come, first served, each to the worker with least to do.

import { WorkerError } from "../../errors.ts";
import type { Hand } from "./pool-worker.ts";
import { breathe } from "./timing.ts";

/** What a shard asks of the worker it is given to. */
export type Work<T> = (hand: Hand) => Promise<T>;

export interface Crew {
  /** Runs `work` on a worker, on `wanted` if that one is still sound. `owner` groups what `cancel` drops together. */
  run<T>(owner: object, work: Work<T>, wanted?: Hand): Promise<T>;
  /** Drops what the owner has waiting; what runs already is left to end. */
  cancel(owner: object, why: Error): void;
  end(why: Error): Promise<void>;
}

// Shards that a worker has at once: while it computes one, the next is already with it.
// measured: docs/performance.md, "Pool"
const DEPTH = 2;

/** Milliseconds that sending shards, with their copies, may keep the calling thread. */
const MOST_BUSY = 4;

interface Place {
  hand: Hand | undefined;
  load: number;
}

interface Shard {
  owner: object;
  wanted: Hand | undefined;
  send: (place: Place) => void;
  reject: (why: Error) => void;
}

/** Up to `size` workers; each is started when there is work that no started one is free for. `onEnd`: it no longer writes. */
export function createCrew(size: number, startHand: (onEnd: () => void) => Hand): Crew {
  const hands = new Set<Hand>();
  const places: Place[] = Array.from({ length: size }, () => ({ hand: undefined, load: 0 }));
  let queue: Shard[] = [];
  let sending = false;

  const isManned = ({ hand }: Place): boolean => hand !== undefined && !hand.failure;
  const placeFor = ({ wanted }: Shard): Place | undefined => {
    const home = wanted && !wanted.failure && places.find(({ hand }) => hand === wanted);
    if (home) return home.load < DEPTH ? home : undefined;
    const load = (place: Place): number => place.load + (isManned(place) ? 0 : 0.5);
    const least = places.reduce((best, place) => (load(place) < load(best) ? place : best));
    return least.load < DEPTH ? least : undefined;
  };

  const send = async (): Promise<void> => {
    if (sending) return;
    sending = true;
    let since = performance.now();
    for (let at = 0; at < queue.length; ) {
      const shard = queue[at] as Shard;
      const place = placeFor(shard);
      if (!place) {
        at++;
        continue;
      }
      queue.splice(at, 1);
      shard.send(place);
      if (performance.now() - since < MOST_BUSY) continue;
      await breathe();
      since = performance.now();
      at = 0;
    }
    sending = false;
  };

  const handOf = (place: Place): Hand => {
    if (place.hand && !place.hand.failure) return place.hand;
    const hand = startHand(() => hands.delete(hand));
    hands.add(hand);
    place.hand = hand;
    return hand;
  };

  return {
    run<T>(owner: object, work: Work<T>, wanted?: Hand) {
      return new Promise<T>((resolve, reject) => {
        const start = (place: Place): void => {
          place.load++;
          let hand: Hand;
          try {
            hand = handOf(place);
          } catch (cause) {
            place.load--;
            reject(new WorkerError("worker: it could not be started", { cause }));
            return;
          }
          hand.keepAlive(true);
          const done = (): void => {
            place.load--;
            if (place.load === 0) place.hand?.keepAlive(false);
            send();
          };
          work(hand).then(resolve, reject).then(done);
        };
        queue.push({ owner, wanted, send: start, reject });
        send();
      });
    },
    cancel(owner, why) {
      const dropped = queue.filter((shard) => shard.owner === owner);
      queue = queue.filter((shard) => shard.owner !== owner);
      for (const { reject } of dropped) reject(why);
    },
    async end(why) {
      for (const { reject } of queue.splice(0)) reject(why);
      await Promise.all([...hands].map((hand) => hand.end(why)));
    },
  };
}

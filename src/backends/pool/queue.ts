// The calls of a pool: as many under way as there are workers, the others wait their turn.

import { AbortError, BackendError, KindError } from "../../errors.ts";
import { type Held, nothingHeld } from "./held.ts";

/** A call that has been let in, or waits to be. */
export interface Call {
  /** Resolves when it is the call's turn to use workers. */
  turn(): Promise<void>;
  /** Its arrays, while it runs. */
  held: Held;
  /** Called when the call is to stop at the next shard: aborted, or the pool disposed of. */
  onStop: (why: Error) => void;
  stop(why: Error): void;
  /** Ends the call: the next in line may start. */
  close(): void;
}

export interface Calls {
  open(signal: AbortSignal | undefined): Call;
  /** Stops every call. */
  stopAll(why: Error): void;
}

/** `most` calls at once; at most `maxQueue` that wait. */
export function createQueue(most: number, maxQueue: number): Calls {
  const open = new Set<Call>();
  const waiting: { call: Call; enter: () => void; leave: (why: Error) => void }[] = [];
  const running = new Set<Call>();

  const admit = (): void => {
    while (running.size < most) {
      const next = waiting.shift();
      if (!next) return;
      running.add(next.call);
      next.enter();
    }
  };

  return {
    open(signal) {
      let turn: Promise<void> | undefined;
      let stopped: Error | undefined;
      const abort = (): void => call.stop(new AbortError(signal?.reason));
      const enqueue = (): Promise<void> => {
        if (running.size >= most && waiting.length >= maxQueue) {
          const message = `pool: expected at most ${maxQueue} calls to wait (maxQueue), got one more`;
          return Promise.reject(new BackendError("unavailable", message));
        }
        return new Promise((enter, leave) => {
          waiting.push({ call, enter, leave });
          admit();
        });
      };
      const call: Call = {
        held: nothingHeld,
        onStop: () => {},
        turn: async () => {
          turn ??= enqueue();
          await turn;
          if (stopped) throw stopped;
          // It may have waited for long.
          call.held.all();
        },
        stop(why) {
          if (stopped) return;
          stopped = why;
          const at = waiting.findIndex((each) => each.call === call);
          if (at >= 0) waiting.splice(at, 1)[0]?.leave(why);
          call.onStop(why);
        },
        close() {
          stopListening(signal, abort);
          open.delete(call);
          running.delete(call);
          admit();
        },
      };
      try {
        signal?.addEventListener("abort", abort, { once: true });
      } catch (cause) {
        throw new KindError("signal: expected an AbortSignal, got one that throws", { cause });
      }
      open.add(call);
      return call;
    },
    stopAll(why) {
      for (const call of [...open]) call.stop(why);
    },
  };
}

// What only looks like a signal may throw; the call is over all the same.
function stopListening(signal: AbortSignal | undefined, abort: () => void): void {
  try {
    signal?.removeEventListener("abort", abort);
  } catch {
    // Nothing is heard of it any more.
  }
}

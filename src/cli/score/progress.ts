// How far the scoring has come, on a terminal: pairs, their rate, the time left.

import { SingleBar } from "cli-progress";

export interface Bar {
  /** Pairs that were computed, or found. */
  advance(pairs: number, isNew: boolean): void;
  stop(): void;
}

/** A bar over all pairs; nothing where the errors go to a file or a pipe. */
export function startBar(total: number): Bar {
  if (!process.stderr.isTTY) return { advance() {}, stop() {} };
  const bar = new SingleBar({
    format: "{bar} {percentage} %, {value} of {total} pairs, {rate} a second, {left} left",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    linewrap: true, // left as it is: an interrupted run must not leave the terminal changed
  });
  const start = performance.now();
  let [done, fresh] = [0, 0];
  bar.start(total, 0, { rate: "–", left: "–" });
  return {
    advance(pairs, isNew) {
      done += pairs;
      if (isNew) fresh += pairs;
      // What was found says nothing of how long the rest will take.
      const rate = fresh / ((performance.now() - start) / 1000);
      const left = fresh > 0 ? timeText((total - done) / rate) : "–";
      bar.update(done, { rate: rate >= 10 ? String(Math.round(rate)) : rate.toFixed(1), left });
    },
    stop: () => bar.stop(),
  };
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

// How far a long job has come, on a terminal: its units, their rate, the time left.

import { SingleBar } from "cli-progress";

export interface Bar {
  /** Units that were computed, or found; with what else is to be shown of them. */
  advance(units: number, isNew: boolean, live?: string): void;
  /** Something else to know of it, until the next one. */
  note(text: string): void;
  stop(): void;
}

/** A bar over all units; where the errors go to a file or a pipe, nothing but notes, one a line. */
export function startBar(total: number, unit: string): Bar {
  if (!process.stderr.isTTY) return { advance() {}, note: (text) => console.error(text), stop() {} };
  const bar = new SingleBar({
    format: `{bar} {percentage} %, {value} of {total} ${unit}, {rate} a second, {left} left{live}{note}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 24,
    clearOnComplete: true,
    linewrap: true, // left as it is: an interrupted run must not leave the terminal changed
  });
  const start = performance.now();
  let [done, fresh] = [0, 0];
  bar.start(total, 0, { rate: "–", left: "–", live: "", note: "" });
  return {
    advance(units, isNew, live = "") {
      done += units;
      if (isNew) fresh += units;
      // What was found says nothing of how long the rest will take.
      const rate = fresh / ((performance.now() - start) / 1000);
      const left = fresh > 0 ? timeText((total - done) / rate) : "–";
      bar.update(done, { rate: rate >= 10 ? String(Math.round(rate)) : rate.toFixed(1), left, live });
    },
    note: (text) => bar.update({ note: `, ${text}` }),
    stop: () => bar.stop(),
  };
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

// How far the reading has come, on a terminal; nothing where the errors go to a file or a pipe.

import { SingleBar } from "cli-progress";
import type { Source } from "./rows.ts";

/** Does the work, and shows a bar on the standard error stream meanwhile, if that is a terminal. */
export async function withProgress<T>(source: Source, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work();
  const bar = new SingleBar({
    format:
      source.total === undefined ? "{value} lines, {duration_formatted}" : "{bar} {percentage} %, {eta_formatted} left",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    linewrap: true, // left as it is: an interrupted run must not leave the terminal changed
  });
  bar.start(source.total ?? 0, 0);
  const tick = setInterval(() => bar.update(source.done()), 100);
  try {
    return await work();
  } finally {
    clearInterval(tick);
    bar.stop();
  }
}

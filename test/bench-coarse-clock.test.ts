// Turns are as long as the clock needs them, whatever the first runs took.

import { expect, test } from "vitest";
import { generator } from "../src/bench/random.ts";
import { measure, warmUp } from "../src/bench/rounds.ts";

/** A clock whose time passes only in the runs given, and which shows whole steps of it. */
function place(step: number, milliseconds: (run: number) => number) {
  let [time, runs] = [0, 0];
  return {
    step,
    now: () => Math.floor(time / step) * step,
    opened: {
      run() {
        time += milliseconds(runs++);
      },
      results: () => ({}),
    },
  };
}

test.each([
  ["all runs are alike", 1, () => 0.01],
  ["the first run takes as long as the warm-up", 1, (run: number) => (run === 0 ? 45 : 0.01)],
  ["the first are slow, as before a compiler is through", 1, (run: number) => (run < 64 ? 0.5 : 0.01)],
  ["the same under a fine clock", 0.001, (run: number) => (run === 0 ? 45 : 0.01)],
])("%s, clock step %d ms", async (_, step, milliseconds) => {
  const { opened, ...clock } = place(step, milliseconds);
  const schedule = await warmUp(opened, clock);
  const [times = []] = await measure([schedule], { ...clock, budget: 1000, rounds: 5, random: generator(1) });
  expect(times).toHaveLength(5);
  for (const time of times) expect(Math.abs(time / 10_000 - 1)).toBeLessThan(0.04);
});

// The clock that times are taken from, and how coarse it is.

/** Milliseconds. A promise is awaited: some places move their clock only while they wait for something. */
export type Clock = () => number | Promise<number>;

const STEPS = 12;
const TRIES = 1_000_000;
const PATIENCE = 100;

/** The smallest step that a clock is seen to take, in milliseconds; 0 if it stands still. */
export async function clockStep(now: Clock): Promise<number> {
  let last = await now();
  let [least, seen] = [Infinity, 0];
  const end = last + PATIENCE;
  for (let i = 0; i < TRIES && seen < STEPS && last < end; i++) {
    const given = now();
    const time = typeof given === "number" ? given : await given;
    if (time > last) {
      seen++;
      least = Math.min(least, time - last);
    }
    last = time;
  }
  return seen === 0 ? 0 : least;
}

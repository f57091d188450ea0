// Random numbers that are the same in every run and on every machine.

/** Uniform in [0, 1) (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many numbers in float32, one after the other: `Float32Array.from` takes ten times as long. */
export function filled(n: number, value: (i: number) => number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) values[i] = value(i);
  return values;
}

/** Normally distributed numbers, two at a time (Box–Muller). */
export function fillNormal(into: Float32Array, deviation: number, random: () => number): void {
  for (let i = 0; i < into.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    into[i] = radius * Math.cos(angle);
    if (i + 1 < into.length) into[i + 1] = radius * Math.sin(angle);
  }
}

/** The same things in another order (Fisher–Yates). */
export function shuffled<T>(things: readonly T[], random: () => number): T[] {
  const all = [...things];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

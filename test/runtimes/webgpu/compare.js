// Numbers of the WebGPU backend against those of js, as docs/numerics.md states their distance; misses are texts for a report.

const widen = {
  bf16: (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0],
  f16: (bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    return bits & 0x8000 ? -size : size;
  },
};

/** The numbers of a result, wider where they are bits of a half type. */
const numbersOf = (values) => {
  const type = ["f16", "bf16"].find((name) => name in values);
  return type ? Array.from(values[type], widen[type]) : Array.from(values);
};

/** Half a unit in the last place. */
const rounding = { f32: 0, f16: 2 ** -11, bf16: 2 ** -8 };

// Each is a part of the number itself, a part of the largest, and what is allowed in any case.
const tolerances = {
  pairs: [1e-6, 1e-6, 0],
  logps: [1e-6, 0, 2e-6],
  tokenLogps: [2.5e-7, 0, 2e-6],
  logsumexp: [2.5e-7, 0, 1e-6],
  gradLogits: [0, 1e-5, 0],
  head: [0, 5e-5, 0],
  metrics: [2e-5, 0, 5e-6],
};

export function createComparison() {
  const misses = [];
  let compared = 0;
  /** `kind` names the tolerance; `type` the type that the numbers were rounded to. */
  const near = (name, got, want, kind, type = "f32") => {
    const [have, wanted] = [numbersOf(got), numbersOf(want)];
    const [relative, largest, always] = tolerances[kind];
    const most = wanted.reduce((size, x) => Math.max(size, Math.abs(x)), 0);
    compared++;
    if (have.length !== wanted.length) return misses.push(`${name}: ${have.length} numbers, want ${wanted.length}`);
    const at = wanted.findIndex((x, i) => {
      const allowed = (relative + rounding[type]) * Math.abs(x) + largest * most + always;
      return !(Math.abs(have[i] - x) <= allowed || Object.is(have[i], x));
    });
    if (at >= 0) misses.push(`${name}[${at}]: got ${have[at]}, want ${wanted[at]}`);
  };
  return { near, report: () => ({ compared, misses }) };
}

/** Numbers that are the same everywhere. */
export function createRandom() {
  let state = 1;
  const random = () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
  return { random, numbers: (n, scale) => Float32Array.from({ length: n }, () => scale * random()) };
}

const MAP_READ_COPY_DST = 0x9;

/** What lies in ranges of buffers, by their names, read as a page reads its own: mapped once, as Firefox takes its time. */
export async function bytesOf(device, ranges) {
  const entries = Object.entries(ranges);
  const size = entries.reduce((sum, [, range]) => sum + range.size, 0);
  const staging = device.createBuffer({ size, usage: MAP_READ_COPY_DST });
  const encoder = device.createCommandEncoder();
  let at = 0;
  const places = entries.map(([name, { buffer, offset, size }]) => {
    encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
    at += size;
    return [name, at - size, at];
  });
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const bytes = staging.getMappedRange().slice(0);
  staging.destroy();
  return Object.fromEntries(places.map(([name, start, end]) => [name, bytes.slice(start, end)]));
}

/** The float32 results of a call that stayed on the GPU. */
export async function floatsOf(device, result) {
  const ranges = Object.entries(result).filter(([, value]) => value.buffer);
  const bytes = await bytesOf(device, Object.fromEntries(ranges));
  return Object.fromEntries(Object.entries(bytes).map(([name, part]) => [name, new Float32Array(part)]));
}

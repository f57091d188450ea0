// Logits that are transformed first, by a scale or a softcap, against the same calls without: how many times as long they take.

import { createWasm } from "../dist/index.js";
import { makeCalls, type Place } from "./logits/ours.ts";
import { check, makeProblem } from "./logits/problem.ts";
import { type Candidate, interleave, type Timing, table } from "./measure.ts";
import { save } from "./report.ts";

const builds = ["plain", "relaxed"] as const;

const shape = { rows: 64, vocab: 128_256 };
const size = shape.rows * shape.vocab;
const rounds = process.env["BENCH_ROUNDS"];
const schedule = { rounds: Number(rounds ?? 30), runs: 1 };
const transforms = { none: {}, scale: { logitScale: 0.5 }, softcap: { logitSoftcap: 30 } };
type Name = keyof typeof transforms;
const names = Object.keys(transforms) as Name[];
const places: readonly Place[] = ["allocate", "own arrays"];
/** Of softcap's forward and backward pass together. */
const most = 1.6;
// The cap's own rounding is 4e-7 of the cap, and a factor of e to that.
const tolerance = { logp: 1e-5, gradient: 3e-5 };

const candidates: Candidate[] = [];
const forms = ["forward", "in place", "into out"] as const;
const nameOf = (build: string, place: Place, transform: Name, form: string): string =>
  `${build}, ${place}, ${transform}, ${form}`;
for (const build of builds) {
  const backend = await createWasm({ relaxed: build === "relaxed", reserve: 5 * 4 * size });
  for (const place of places) {
    const make = makeCalls(backend, place);
    for (const transform of names) {
      const problem = makeProblem(transform, shape, "f32", "ordinary", transforms[transform]);
      const { forward, inPlace, out, target } = make("", problem);
      for (const [form, call] of [forward, inPlace, out].entries()) {
        const name = nameOf(build, place, transform, forms[form] as string);
        target.fill(Number.NaN);
        call.prepare?.();
        check(name, problem, call.run() as Parameters<typeof check>[2], tolerance);
        candidates.push({ ...call, name });
      }
    }
  }
}
const timings = await interleave(candidates, { ...schedule, units: size });

const rows = builds.flatMap((build) =>
  places.flatMap((place) =>
    forms.flatMap((form) =>
      names.map((transform) => {
        const of = (other: Name) => timings.get(nameOf(build, place, other, form)) as Timing;
        const { median, min } = of(transform);
        const times = { median: median / of("none").median, min: min / of("none").min };
        return { build, place, form, transform, median, min, times };
      }),
    ),
  ),
);
console.log(
  `${shape.rows} x ${shape.vocab} float32: ns per logit, and how many times as long as without a transform\n`,
);
console.log(
  table(
    ["", "median", "min", "times, medians", "times, minima"],
    rows.map(({ build, place, form, transform, median, min, times }) => [
      `${build}, ${place}, ${form}, ${transform}`,
      ...[median, min, times.median, times.min],
    ]),
  ),
);
const capped = rows.filter(({ transform, form }) => transform === "softcap" && form !== "forward");
const [worst, least] = (["median", "min"] as const).map((which) =>
  Math.max(...capped.map(({ times }) => times[which])),
);
console.log(
  `\nsoftcap, forward and backward: at most ${most} required, ${worst?.toFixed(2)} by medians, ${least?.toFixed(2)} by minima`,
);
if (rounds === undefined) save("transform", { ...schedule, shape, unit: "ns per logit", required: most, rows });

// The same calls on half-precision types and adverse values, compared with ordinary float32.

import type { Backend } from "../../dist/index.js";
import { interleave, type Timing } from "../measure.ts";
import { type Calls, makeCalls, type Place } from "./ours.ts";
import { makeProblem, type Problem, type Shape, type Type, type Values } from "./problem.ts";
import { type Build, builds, most, type Verdict } from "./targets.ts";

const kinds: readonly { name: string; type: Type; values: Values }[] = [
  { name: "float32", type: "f32", values: "ordinary" },
  { name: "float16", type: "f16", values: "ordinary" },
  { name: "bfloat16", type: "bf16", values: "ordinary" },
  { name: "75 to 100 below the maximum", type: "f32", values: "75 to 100 below the maximum" },
  { name: "half -Infinity", type: "f32", values: "half -Infinity" },
];

/** One build on one kind of logits: ns per logit, and the ratio to float32. */
export interface Variant {
  name: string;
  place: Place;
  build: Build;
  forward: Timing & { timesFloat32: number };
  both: Timing & { timesFloat32: number };
}

interface Entry {
  name: string;
  place: Place;
  build: Build;
  forward: string;
  both: string;
}

/** Plain arrays into `out`, arrays from `allocate` in place; adverse values only there, where no copy hides the kernel. */
export async function timeVariants(
  backends: Record<Build, Backend>,
  shape: Shape,
  check: (calls: Calls, problem: Problem) => Promise<unknown>,
  schedule: { rounds: number; runs: number; collect: boolean },
): Promise<Variant[]> {
  const makers = builds.flatMap((build) =>
    (["own arrays", "allocate"] as const).map((place) => ({ build, place, make: makeCalls(backends[build], place) })),
  );
  const entries: Entry[] = [];
  const candidates = [];
  for (const { name, type, values } of kinds) {
    const problem = makeProblem(name, shape, type, values);
    for (const { build, place, make } of makers) {
      if (place === "own arrays" && values !== "ordinary") continue;
      const calls = make(`${build}, ${place}, ${name}`, problem);
      await check(calls, problem);
      const both = place === "own arrays" ? calls.out : calls.inPlace;
      candidates.push(calls.forward, both);
      entries.push({ name, place, build, forward: calls.forward.name, both: both.name });
    }
  }
  const timings = await interleave(candidates, { ...schedule, units: shape.rows * shape.vocab });
  return entries.map((entry) => {
    const base = entries.find(
      ({ name, place, build }) => name === "float32" && place === entry.place && build === entry.build,
    ) as Entry;
    const compare = (pass: "forward" | "both") => {
      const timing = timings.get(entry[pass]) as Timing;
      return { ...timing, timesFloat32: timing.median / (timings.get(base[pass]) as Timing).median };
    };
    return { ...entry, forward: compare("forward"), both: compare("both") };
  });
}

export function judgeVariants(variants: readonly Variant[]): Verdict[] {
  return variants
    .filter(({ name }) => name !== "float32")
    .flatMap(({ name, place, build, ...timings }) =>
      (["forward", "both"] as const).map((pass) => {
        const required = name.includes("float") ? most.half : most.adverse;
        const measured = timings[pass].timesFloat32;
        return {
          what: `${place}, ${name}: ${pass}, times float32`,
          build,
          required,
          measured,
          met: measured <= required,
        };
      }),
    );
}

// pairLoss with `readback: false`: log-probs from arrays or GPU buffers, results on the GPU.

import { KindError, ParamError, ShapeError } from "../../errors.ts";
import { checkCall, ofTokens, refuseUnused } from "../../inputs/options.ts";
import { checkPairs, type ReadPairs, scanValues } from "../../inputs/pairs.ts";
import { times } from "../../losses/factor.ts";
import { pairColumns } from "../../losses/kinds.ts";
import { kindOf, type Plan, planLosses } from "../../plan/plan.ts";
import type { FloatArray, LengthArray, PairLossOptions } from "../../types.ts";
import type { Commands, Range } from "./commands.ts";
import { isGpuArray, plainRangeOf } from "./device-arrays.ts";
import { sequenceWords } from "./fixed-point.wgsl.ts";
import { RESULTS } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import {
  createOutputs,
  METRICS_BYTES,
  orDestroyed,
  pairRanges,
  recordPairStage,
  reportLater,
  sequenceBytes,
  uploadParams,
} from "./resident.ts";
import { givenWgsl, SEQUENCE_WORDS } from "./sequences.wgsl.ts";
import { type Gpu, submitLater } from "./submit.ts";
import type { GpuArray, GpuPairLogps, GpuPairLossResult } from "./types.ts";

const namesOf = (...groups: readonly string[]) =>
  pairColumns.filter((column) => groups.includes(column.of)).map(({ name }) => name);

/** Refuses what needs numbers that are not here. */
export function checkResident(
  plan: Plan,
  options: { readonly validate?: string | undefined; readonly out?: object | undefined },
  outs: readonly string[],
): void {
  if (plan.shift) {
    throw new ParamError("unused-option", "rewardShift: expected a number with readback false, got a running mean");
  }
  if (options.validate === "finite") {
    throw new ParamError("unused-option", 'validate: "finite" would read back what readback false leaves on the GPU');
  }
  for (const name in options.out ?? {}) {
    if (outs.includes(name)) continue;
    throw new ParamError("unused-option", `out.${name}: not used with readback false, whose results are new buffers`);
  }
}

/** Inputs that were read: lengths given as bigints are numbers. */
export interface ReadGpuPairs extends GpuPairLogps {
  chosenLengths?: LengthArray | GpuArray | undefined;
  rejectedLengths?: LengthArray | GpuArray | undefined;
}

// What stands for a buffer while the shared checks look at lengths and kinds.
function standIns(pairs: ReadGpuPairs): ReadPairs {
  if (!pairs || typeof pairs !== "object") throw new KindError(`pairs: expected an object, got ${kindOf(pairs)}`);
  const entries = Object.entries(pairs).map(([name, value]) => {
    if (!isGpuArray(value)) return [name, value];
    return [name, new Float32Array(plainRangeOf(value, name, "COPY_SRC").size / 4).fill(1)];
  });
  return Object.fromEntries(entries) as ReadPairs;
}

export async function residentPairLoss(
  gpu: Gpu,
  given: ReadGpuPairs,
  options: PairLossOptions,
  check: (plan: Plan) => void,
): Promise<GpuPairLossResult> {
  const plan = planLosses(options);
  check(plan);
  checkCall(options);
  refuseUnused(options, ofTokens, "pairLoss, which sees no tokens");
  checkResident(plan, options, []);
  const job = checkPairs(standIns(given), plan, options, scanValues, () => [0, 0]);
  const { pairs } = job;
  const likelihood = likelihoodOf(given, plan, pairs);
  const outputs = createOutputs(gpu);
  return orDestroyed(outputs, async () => {
    const results = outputs.make(4 * RESULTS * pairs);
    const metrics = outputs.make(METRICS_BYTES);
    const done = submitLater(gpu, (commands) => {
      const params = {
        pairs,
        tokens: 2 * pairs,
        vocab: 1,
        statistics: false,
        alpha: 1,
        slope: 0,
        wpo: false,
        offset: 0,
      };
      const shared = uploadParams(commands, params);
      const [policy, reference] = ["policy", "reference"].map((group) => {
        const names = namesOf(group);
        const logps = gather(commands, given, names, pairs, 0);
        const sequences = commands.scratch(sequenceBytes(2 * pairs));
        commands.run(givenWgsl, groupsOf(2 * pairs), shared, logps, sequences);
        // Arrays do not go through float32: log-ratios are formed from all their digits.
        names.forEach((name, k) => {
          const array = given[name];
          if (!array || isGpuArray(array)) return;
          const words = commands.upload(packSequences(array as FloatArray));
          commands.copy(words, { ...sequences, offset: k * sequenceBytes(pairs) });
        });
        return sequences;
      }) as [Range, Range];
      const lengths = gather(commands, given, namesOf("lengths", "weights"), pairs, 1);
      const start = commands.upload(new Uint32Array(2 * pairs + 1));
      const parts = { plan, params, scale: job.scale, likelihood, policy, reference, lengths, start };
      commands.copy(recordPairStage(commands, parts, metrics).results, results);
    });
    reportLater(options, pairs, done);
    return { ...pairRanges(results, pairs), metrics, done, destroy: outputs.destroy };
  });
}

function packSequences(logps: FloatArray): Uint32Array {
  const words = new Uint32Array(logps.length * SEQUENCE_WORDS);
  logps.forEach((x, i) => {
    words.set(sequenceWords(x), i * SEQUENCE_WORDS);
  });
  return words;
}

/** Arrays of B numbers, from here and from there, one after another. */
function gather(
  commands: Commands,
  given: ReadGpuPairs,
  names: readonly (keyof ReadGpuPairs)[],
  pairs: number,
  missing: number,
): Range {
  const packed = new Float32Array(names.length * pairs).fill(missing);
  names.forEach((name, k) => {
    const array = given[name] as LengthArray | undefined;
    if (array && !isGpuArray(array)) packed.set(array, k * pairs);
  });
  const range = commands.upload(packed);
  names.forEach((name, k) => {
    const array = given[name];
    if (!isGpuArray(array)) return;
    const from = plainRangeOf(array, name, "COPY_SRC", 4 * pairs);
    commands.copy({ ...from, size: 4 * pairs }, { buffer: range.buffer, offset: 4 * k * pairs, size: 4 * pairs });
  });
  return range;
}

// A likelihood is linear in the sum of log-probs, which the GPU takes; what it divides by has to be known here.
function likelihoodOf(given: ReadGpuPairs, plan: Plan, pairs: number) {
  if (!plan.terms.some(({ loss }) => loss.kind === "likelihood")) return () => [0, 0, 0] as const;
  const { chosenLengths, pairWeights } = given;
  if (isGpuArray(chosenLengths) || isGpuArray(pairWeights)) {
    throw new ParamError("unused-option", "chosenLengths: sft with readback false divides by them: expected an array");
  }
  if (!chosenLengths) throw new ShapeError("wrong-length", `chosenLengths: expected ${pairs} values, got none`);
  const tokens = scanValues(chosenLengths).sum;
  const meanWeight = pairWeights ? scanValues(pairWeights as FloatArray).sum / pairs : 1;
  return (at: number) => {
    const loss = plan.terms[at]?.loss;
    if (loss?.kind !== "likelihood") return [0, 0, 0] as const;
    return [0, times(meanWeight, loss.formula(0, tokens)[1] * pairs), loss.formula(1, tokens)[0]] as const;
  };
}

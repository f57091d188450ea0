// pairLoss with `readback: false`: log-probs from arrays or GPU buffers, results on the GPU.

import { setNumbers } from "../../checks/views.ts";
import { ParamError, ShapeError } from "../../errors.ts";
import { type DeviceLength, scanValues } from "../../inputs/columns.ts";
import { checkCall, ofTokens, refuseUnused } from "../../inputs/options.ts";
import { checkInputs, readPairOut } from "../../inputs/pairs.ts";
import { times } from "../../losses/factor.ts";
import { pairColumns } from "../../losses/kinds.ts";
import { type Plan, planLosses } from "../../plan/plan.ts";
import type { FloatArray, LengthArray, PairLossOptions } from "../../types.ts";
import type { Commands, Range } from "./commands.ts";
import { isGpuArray, plainRangeOf } from "./device-arrays.ts";
import { sequenceWords } from "./fixed-point.wgsl.ts";
import { checkResident, METRICS_BYTES, pairRanges, reportLater, withOutputs } from "./outputs.ts";
import { RESULTS } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { recordPairStage, sequenceBytes, uploadParams } from "./sequences.ts";
import { givenWgsl, SEQUENCE_WORDS } from "./sequences.wgsl.ts";
import { type Gpu, submitLater } from "./submit.ts";
import type { GpuArray, GpuPairLogps, GpuPairLossResult } from "./types.ts";

const namesOf = (...groups: readonly string[]) =>
  pairColumns.filter((column) => groups.includes(column.of)).map(({ name }) => name);

/** Inputs that were read: lengths given as bigints are numbers. */
export interface ReadGpuPairs extends GpuPairLogps {
  chosenLengths?: LengthArray | GpuArray | undefined;
  rejectedLengths?: LengthArray | GpuArray | undefined;
}

// How many float32 a buffer of the caller's has.
const deviceLength: DeviceLength = (input, name) =>
  isGpuArray(input) ? plainRangeOf(input, name, "COPY_SRC").size / 4 : undefined;

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
  if (options.out !== undefined) readPairOut(options.out);
  const { count: pairs } = checkInputs(given, plan, scanValues, deviceLength);
  const scale = (options.gradScale ?? 1) / pairs;
  const likelihood = likelihoodOf(given, plan, pairs);
  return withOutputs(gpu, (outputs) => {
    const results = outputs.make(4 * RESULTS * pairs);
    const metrics = outputs.make(METRICS_BYTES);
    const done = submitLater(gpu, (commands) => {
      const params = {
        pairs,
        sequences: 2 * pairs,
        tokens: 2 * pairs,
        vocab: 1,
        statistics: false,
        alpha: 1,
        slope: 0,
        wpo: false,
        offset: 0,
        each: false,
      };
      const shared = uploadParams(commands, params);
      const [policy, reference] = ["policy", "reference"].map((group) => {
        const names = namesOf(group);
        const logps = gather(commands, given, names, pairs, 0);
        const sequences = commands.scratch(sequenceBytes(2 * pairs));
        commands.run(givenWgsl, groupsOf(2 * pairs), shared, logps, sequences);
        // Arrays are not rounded to float32: log-ratios are computed from all of their digits.
        names.forEach((name, k) => {
          const array = given[name];
          if (!array || isGpuArray(array)) return;
          const words = commands.upload(packSequences(array as FloatArray));
          commands.copy(words, { ...sequences, offset: k * sequenceBytes(pairs) });
        });
        return sequences;
      }) as [Range, Range];
      const columns = gather(commands, given, namesOf("lengths", "own", "weights"), pairs, 1);
      const start = commands.upload(new Uint32Array(2 * pairs + 1));
      const parts = { plan, params, scale, likelihood, policy, reference, columns, start };
      commands.copy(recordPairStage(commands, parts, metrics).results, results);
    });
    reportLater(options, pairs, done);
    return { ...pairRanges(results, pairs), metrics, done };
  });
}

function packSequences(logps: FloatArray): Uint32Array {
  const words = new Uint32Array(logps.length * SEQUENCE_WORDS);
  logps.forEach((x, i) => {
    words.set(sequenceWords(x), i * SEQUENCE_WORDS);
  });
  return words;
}

/** Arrays and buffers of B numbers, one after another; `missing` where there is none. */
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
    if (array && !isGpuArray(array)) setNumbers(packed, array, k * pairs);
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

// A likelihood loss is linear in the sum of log-probs, which the GPU computes; what it divides by must be known here.
function likelihoodOf(given: ReadGpuPairs, plan: Plan, pairs: number) {
  if (!plan.terms.some(({ loss }) => loss.kind === "likelihood")) return () => [0, 0, 0] as const;
  const { chosenLengths, pairWeights } = given;
  if (isGpuArray(chosenLengths) || isGpuArray(pairWeights)) {
    throw new ParamError(
      "unused-option",
      "chosenLengths, pairWeights: expected arrays for sft with readback false, which divides by their sums",
    );
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

// What optimisers on the GPU share: lists of float32 buffers, checked before anything is recorded, and steps that are submitted.

import { isList, mapList } from "../../checks/lists.ts";
import { KindError, ShapeError } from "../../errors.ts";
import type { DeviceFloats } from "../../inputs/floats.ts";
import { kindOf } from "../../plan/plan.ts";
import { setStep } from "../../train/hyper.ts";
import { nameOf, refuseOverlaps } from "../../train/tensors.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import { deviceFloatsOf, isGpuArray, plainRangeOf } from "./device-arrays.ts";
import { type Piece, toDeviceRows } from "./device-rows.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { type Gpu, submit } from "./submit.ts";
import type { GpuArray } from "./types.ts";

/** A buffer of float32, or a list of them, as `adamw` takes arrays. */
export type GpuTensors = GpuArray | readonly GpuArray[];

/**
 * The arrays of several arguments, parameter by parameter, as `readTensors` has those of the host: of the lengths of the first
 * argument's. `read` names the one that is only read.
 *
 * Throws    KindError, ParamError, ShapeError
 */
export function readGpuTensors(given: Readonly<Record<string, GpuTensors>>, read?: string): DeviceFloats[][] {
  const names = Object.keys(given);
  const lists = names.map((name) => floatsOf(given[name] as GpuTensors, name));
  const [firsts = []] = lists;
  const uses = lists.flatMap((list, k) => {
    const name = names[k] as string;
    if (list.length !== firsts.length) {
      throw new ShapeError(
        "wrong-length",
        `${name}: expected ${firsts.length} buffers (${names[0]}), got ${list.length}`,
      );
    }
    return list.map((array, i) => {
      const where = nameOf(name, given[name], i);
      const { byteLength } = firsts[i] as DeviceFloats;
      if (array.byteLength === byteLength) return { name: where, array, written: name !== read };
      const expected = `expected ${byteLength} bytes (${names[0]})`;
      throw new ShapeError("wrong-length", `${where}: ${expected}, got ${array.byteLength}`);
    });
  });
  refuseOverlaps(uses);
  return firsts.map((_, i) => {
    const arrays = lists.map((list) => list[i] as DeviceFloats);
    // A dispatch cannot have one buffer twice.
    if (new Set(arrays.map(({ buffer }) => buffer)).size === arrays.length) return arrays;
    throw new ShapeError("overlap", `${names.join(", ")}: expected buffers of their own, got one of them twice`);
  });
}

function floatsOf(value: GpuTensors, name: string): DeviceFloats[] {
  if (!isList(value)) return [oneOf(value as GpuArray, name)];
  return mapList(value, name, (array: GpuArray, i) => oneOf(array, `${name}[${i}]`));
}

function oneOf(array: GpuArray, name: string): DeviceFloats {
  if (!isGpuArray(array)) throw new KindError(`${name}: expected a GPU buffer, got ${kindOf(array)}`);
  const { size } = plainRangeOf(array, name, "STORAGE");
  return deviceFloatsOf(array, name, size / 4);
}

/** Some of the numbers of arrays of one length: how many, and where each array has them. */
export interface Slice {
  readonly count: number;
  readonly shifts: readonly { readonly u32: number }[];
  readonly ranges: readonly Range[];
}

/** Arrays of one length in slices that bindings can hold. */
export function slicesOf(gpu: Gpu, arrays: readonly DeviceFloats[]): Slice[] {
  const placed = arrays.map((array) => toDeviceRows(gpu, array, 1).pieces);
  return (placed[0] as readonly Piece[]).map(({ rows }, k) => {
    const pieces = placed.map((list) => list[k] as Piece);
    return {
      count: rows,
      shifts: pieces.map(({ shift }) => ({ u32: shift })),
      ranges: pieces.map(({ range }) => range),
    };
  });
}

/**
 * Records a shader with one invocation for each number of arrays of one length. Its parameters begin with `count` and where each
 * array begins; its bindings are these, then `before`, then the arrays.
 */
export function recordEach(
  gpu: Gpu,
  commands: Commands,
  code: string,
  arrays: readonly DeviceFloats[],
  numbers: Parameters<typeof packParams>[0],
  before: readonly Range[] = [],
): void {
  for (const { count, shifts, ranges } of slicesOf(gpu, arrays)) {
    const params = commands.upload(packParams([{ u32: count }, ...shifts, ...numbers]));
    commands.run(code, groupsOf(count), params, ...before, ...ranges);
  }
}

/** Submits a step of an optimiser: later calls count on it at once, but one that the device refused was none. */
export function submitStep(
  gpu: Gpu,
  state: { step: number },
  step: number,
  record: (commands: Commands) => void,
): Promise<void> {
  setStep(state, step);
  const done = submit(gpu, record);
  done.catch(() => {
    state.step--;
  });
  return done;
}

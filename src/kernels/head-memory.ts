// The memory that linear losses work in. Heads and hidden states stay where the caller has them: a few rows at a time pass
// through it.

import type { Part } from "../cpu/head-shards.ts";
import { decodeTable, type FloatData } from "../inputs/floats.ts";
import { growing, type Instantiate, layOut } from "./growing-memory.ts";

/** Half types are converted sixteen at a time: so far beyond its end an array may be read or written. */
const SLACK = 64;

export const eights = (n: number): number => Math.ceil(n / 8) * 8;
const sixteens = (n: number): number => Math.ceil(n / 16) * 16;

/** Addresses of areas of so many bytes, one after another, after those that every plan has. */
export function layout<Name extends string>(columns: number, areas: Record<Name, number>) {
  const { take, end } = layOut();
  const [staged, halves] = [take(4 * 8 * columns + SLACK), take(2 * columns + SLACK)];
  const places = {} as Record<Name, number>;
  for (const name in areas) places[name] = take(areas[name] + SLACK);
  return { columns, staged, halves, end: end(), ...places };
}

/** What of a head's gradient goes where. */
interface Target {
  readonly floats: FloatData;
  readonly width: number;
  readonly column: number;
}

/** Makes the memory of a backend. */
export function createLinearMemory(module: WebAssembly.Module, make?: Instantiate) {
  const reserve = growing(module, "linearLoss", make);

  /** The kernels and memory for a plan. Views hold until the next call. */
  const open = ({ columns, staged, halves, end }: ReturnType<typeof layout>) => {
    const { kernels, buffer } = reserve(end);
    const f32 = new Float32Array(buffer);
    const u16 = new Uint16Array(buffer);
    f32.fill(0, staged / 4, staged / 4 + 8 * columns);

    const stage = (parts: readonly Part[], k: number, address: number): void => {
      let to = address;
      for (const { floats, width, rows } of parts) {
        const from = (rows ? (rows[k] as number) : k) * width;
        const row = floats.data.subarray(from, from + width);
        if (floats.type === "f32") f32.set(row, to / 4);
        else {
          // Zeros follow, up to the next part or into the next row, which are yet to come.
          u16.set(row, halves / 2);
          u16.fill(0, halves / 2 + width, halves / 2 + sixteens(width));
          kernels[`widen_${floats.type}`](halves, to, sixteens(width));
        }
        to += 4 * width;
      }
    };

    /** Rows to the area `staged`: all in one copy where they lie as they do there. */
    const stageRows = (parts: readonly Part[], start: number, n: number): void => {
      const [{ floats, width, rows }] = parts as [Part];
      if (floats.type === "f32" && width === columns && !rows) {
        f32.set(floats.data.subarray(start * width, (start + n) * width), staged / 4);
        return;
      }
      for (let r = 0; r < n; r++) stage(parts, start + r, staged + 4 * columns * r);
    };

    /** n rows from `start` on to panels of `width` of them, and to panels of columns, `panel` long, if `asRows` is given. */
    const pack = (
      parts: readonly Part[],
      start: number,
      n: number,
      width: number,
      asColumns: number,
      asRows = 0,
      panel = 0,
    ): void => {
      for (let i = 0; i < n; i += width) {
        const rows = Math.min(width, n - i);
        stageRows(parts, start + i, rows);
        if (rows < width) f32.fill(0, staged / 4 + columns * rows, staged / 4 + columns * width);
        kernels.pack_columns_f32(staged, columns, width, columns, asColumns + 4 * columns * i, width);
        if (!asRows) continue;
        kernels.pack_rows_f32(staged, columns, Math.min(width, panel - i), columns, asRows + 32 * i, panel, 8);
      }
    };

    /** n rows of gradients to rows `start` and on of their targets. */
    const unpack = (targets: readonly Target[], start: number, n: number, from: number, accumulate: boolean): void => {
      const [first] = targets;
      if (first?.floats.type === "f32" && first.width === columns && !accumulate) {
        first.floats.data.set(f32.subarray(from / 4, from / 4 + columns * n), start * columns);
        return;
      }
      for (let i = 0; i < n; i++) {
        for (const { floats, width, column } of targets) {
          const { type, data } = floats;
          const address = from + 4 * (columns * i + column);
          const row = f32.subarray(address / 4, address / 4 + width);
          const to = (start + i) * width;
          if (accumulate) addFrom(floats, to, row);
          if (type === "f32") data.set(row, to);
          else {
            kernels[`narrow_${type}`](address, halves, sixteens(width));
            data.set(u16.subarray(halves / 2, halves / 2 + width), to);
          }
        }
      }
    };

    const rows = Number(kernels.GEMM_ROWS.value);
    return { kernels, rows, f32, f64: new Float64Array(buffer), i32: new Int32Array(buffer), pack, unpack };
  };
  return { reserve, open };
}

function addFrom({ type, data }: FloatData, from: number, row: Float32Array): void {
  const table = type === "f32" ? undefined : decodeTable(type);
  for (let i = 0; i < row.length; i++) {
    const value = data[from + i] as number;
    row[i] = (row[i] as number) + (table ? (table[value] as number) : value);
  }
}

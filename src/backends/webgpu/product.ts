// Matrix products on the GPU, on operands that lie in parts of buffers.

import type { FloatType } from "../../inputs/floats.ts";
import type { Commands, Range } from "./commands.ts";
import { productWgsl, TILE } from "./head.wgsl.ts";
import { packParams } from "./params.ts";

/** Numbers in a range, from element `shift` on. */
export interface Numbers {
  readonly range: Range;
  readonly type: FloatType;
  readonly shift: number;
}

/** From one row to the next, and from one column to the next; 0, 0 is a single number all over. */
export type Strides = readonly [row: number, column: number];

export interface Product {
  readonly sizes: readonly [rows: number, columns: number, depth: number];
  /** rows × depth, float32, from the range's first element on. */
  readonly a: { readonly range: Range; readonly strides: Strides };
  /** depth × columns, of any type. */
  readonly b: Numbers & { readonly strides: Strides };
  /** rows × columns, float32, one row after another. */
  readonly to: Pick<Numbers, "range" | "shift">;
  readonly scale?: number | undefined;
  /** Adds to what is there. */
  readonly accumulate?: boolean | undefined;
}

/** Records to = scale·a·b; without depth that is 0. */
export function recordProduct(commands: Commands, { sizes, a, b, to, scale = 1, accumulate = false }: Product): void {
  const [rows, columns] = sizes;
  const integers = [...sizes, ...a.strides, ...b.strides, b.shift, to.shift, Number(accumulate)];
  const params = commands.upload(packParams([...integers.map((u32) => ({ u32 })), { f32: scale }]));
  const groups = Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
  commands.run(productWgsl(b.type), groups, params, a.range, b.range, to.range);
}

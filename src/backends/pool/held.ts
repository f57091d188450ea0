// The arrays of a call while it runs. Others may detach them or shrink their buffers between two tasks of this thread, so each
// is looked at again whenever the call comes back to it.

import { bufferOf, lengthOf } from "../../checks/views.ts";
import { ShapeError } from "../../errors.ts";

/** Each throws a ShapeError if an array has become shorter than it was when the call began. */
export interface Held {
  /** What is still to be read. */
  inputs(): void;
  /** What is still to be written. */
  outputs(): void;
  /** All of them: before the first write, while the call can still be refused with nothing written. */
  all(): void;
  /** Nothing is read or written any more. */
  release(): void;
}

export interface NamedView {
  readonly name: string;
  readonly view: ArrayBufferView;
}

/** The typed arrays in an argument, by name, wherever they stand in it; what cannot be read is left to the call's own checks. */
export function viewsIn(value: unknown, name: string): NamedView[] {
  try {
    return [...walk(value, name, 3)];
  } catch {
    return [];
  }
}

function* walk(value: unknown, name: string, depth: number): Generator<NamedView> {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) yield { name, view: value };
  else if (typeof value === "object" && value !== null && !Array.isArray(value) && depth > 0) {
    for (const key in value) {
      yield* walk(value[key as never], name === "" ? key : `${name}.${key}`, depth - 1);
    }
  }
}

// Copied when the call begins.
const isCopied = ({ name }: NamedView): boolean => /^tokens\.|^kl\.|^(reference\.logps|desirable)$/.test(name);

/** `given` is a buffer that the call itself detaches. */
export function holdArrays(batch: unknown, options: unknown, given: ArrayBufferLike | undefined): Held {
  const { out, inPlace } = Object(options) as { out?: unknown; inPlace?: unknown };
  const watched = (views: NamedView[]) =>
    views
      .filter((each) => !isCopied(each) && (given === undefined || bufferOf(each.view) !== given))
      .map((each) => ({ ...each, length: lengthOf(each.view) }));
  let read = watched(viewsIn(batch, ""));
  const over = inPlace === true ? read.filter(({ name }) => name.startsWith("logits")) : [];
  let written = [...over, ...watched(viewsIn(out, "out"))];
  const check = (arrays: typeof read): void => {
    for (const { name, view, length } of arrays) {
      const now = lengthOf(view);
      if (now >= length) continue;
      const why = "its buffer was detached or shrank while the call ran";
      throw new ShapeError("wrong-length", `${name}: expected ${length} values, got ${now}: ${why}`);
    }
  };
  return {
    inputs: () => check(read),
    outputs: () => check(written),
    all() {
      check(read);
      check(written);
    },
    release() {
      read = [];
      written = [];
    },
  };
}

/** Of a call that has not begun. */
export const nothingHeld: Held = { inputs() {}, outputs() {}, all() {}, release() {} };

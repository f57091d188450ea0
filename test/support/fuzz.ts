// Hostile calls, drawn from a seed: a sound call with one to three of its values replaced, swapped, taken out or hidden behind
// getters. Whatever is thrown must be a DpoError; a call that throws must have written nothing; and a sound call afterwards
// must give the bits that it always gave.

import { types } from "node:util";
import { DpoError } from "../../src/errors.ts";
import { hostileValues } from "./fuzz-values.ts";
import type { Typed } from "./guards.ts";
import { randomFrom } from "./pairs.ts";

/** A public call with arguments that it accepts. */
export interface SoundCall {
  readonly name: string;
  /** Fresh arguments, the same each time. */
  readonly make: () => unknown[];
  readonly run: (args: readonly never[]) => unknown;
  /** The paths that the call may write, as "1.out". */
  readonly writes: (args: readonly unknown[]) => readonly string[];
  /** Reads what must stay when a call is refused, beside arrays. */
  readonly state?: (args: readonly unknown[]) => () => unknown;
  /** What is done with a result before the next call: backends are disposed of. */
  readonly after?: (result: unknown) => unknown;
}

export interface Fuzzed {
  readonly calls: number;
  readonly refused: number;
  /** What must not be, with how to reproduce it. */
  readonly wrong: readonly string[];
}

export interface Node {
  readonly holder: Record<string, unknown>;
  readonly key: string;
  readonly path: string;
}

const isArray = (value: unknown): value is Typed => ArrayBuffer.isView(value) && !(value instanceof DataView);

const isHolder = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null || types.isProxy(value) || Object.isFrozen(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype;
};

// Getters are not asked: they were put there for the call.
export function* nodesOf(holder: Record<string, unknown>, prefix = "", depth = 0): Generator<Node> {
  for (const key of Object.keys(holder).slice(0, 20)) {
    const { get, value } = Object.getOwnPropertyDescriptor(holder, key) as PropertyDescriptor;
    if (get) continue;
    const path = prefix + key;
    yield { holder, key, path };
    if (isHolder(value) && depth < 4) yield* nodesOf(value, `${path}.`, depth + 1);
  }
}

const GUARD = 3;

/** The arguments with every array between guards, in a buffer of its own; those that were one stay one. */
export function guardArrays(args: unknown[]): Map<string, Typed> {
  const moved = new Map<Typed, Typed>();
  const arrays = new Map<string, Typed>();
  for (const { holder, key, path } of nodesOf(args as never)) {
    const array = holder[key];
    if (!isArray(array)) continue;
    const Type = array.constructor as new (buffer: ArrayBuffer, at: number, n: number) => Typed;
    const whole = new Uint8Array((array.length + 2 * GUARD) * array.BYTES_PER_ELEMENT).fill(0xa5);
    const at = GUARD * array.BYTES_PER_ELEMENT;
    whole.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    const view = moved.get(array) ?? new Type(whole.buffer, at, array.length);
    moved.set(array, view);
    holder[key] = view;
    arrays.set(path, view);
  }
  return arrays;
}

const unknownNames = ["nosuch", "lenght", "Beta", "out_", "labelSmothing", "pairWeight", "valueOf", "toString"];

const show = (value: unknown): string => {
  try {
    return String(value instanceof Error ? (value.stack ?? value) : value);
  } catch {
    return "what cannot be shown";
  }
};

/** The bits of a result: of numbers, arrays and what holds them. */
export function bitsOf(value: unknown, depth = 0): string {
  if (ArrayBuffer.isView(value)) return Buffer.from(bytesOf(value)).toString("base64");
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value !== "object" || value === null || depth > 4) return typeof value === "function" ? "" : String(value);
  return Object.entries(value)
    .map(([name, inner]) => `${name}:${bitsOf(inner, depth + 1)}`)
    .join();
}

interface Spoilt {
  readonly what: string[];
  /** Arrays that came in where the call may write, and all that came in. */
  readonly written: Uint8Array[];
  readonly given: Uint8Array[];
}

function spoil(
  args: unknown[],
  arrays: readonly Typed[],
  held: ArrayBufferView<ArrayBuffer>,
  random: () => number,
  mayWrite: (path: string) => boolean,
): Spoilt {
  const below = (n: number): number => Math.floor(random() * n);
  const spoilt: Spoilt = { what: [], written: [], given: [] };
  const changes = 1 + below(3);
  for (let change = 0; change < changes; change++) {
    const nodes = [...nodesOf(args as never)];
    const node = nodes[below(nodes.length)];
    if (!node) break;
    const { holder, key, path } = node;
    const original = holder[key];
    const tell = (array: ArrayBufferView): void => {
      spoilt.given.push(bytesOf(array));
      if (mayWrite(path)) spoilt.written.push(bytesOf(array));
    };
    const [name, make] = hostileValues[below(hostileValues.length)] as (typeof hostileValues)[number];
    const value = (): unknown => {
      try {
        const made = make({ random, original, arrays, held, tell });
        if (isArray(made) && mayWrite(path)) spoilt.written.push(bytesOf(made));
        return made;
      } catch {
        // It was to be made of an earlier change.
        return null;
      }
    };
    // Arguments are values: they are read before the call.
    const way = below(holder === (args as never) ? 16 : 20);
    if (way < 13) {
      holder[key] = value();
      spoilt.what.push(`${path} = ${name}`);
    } else if (way === 13) {
      delete holder[key];
      spoilt.what.push(`${path} taken out`);
    } else if (way === 14) {
      const other = nodes[below(nodes.length)] as Node;
      [holder[key], other.holder[other.key]] = [other.holder[other.key], original];
      spoilt.what.push(`${path} and ${other.path} swapped`);
      for (const each of [original, other.holder[other.key], holder[key]])
        if (isArray(each)) spoilt.written.push(bytesOf(each));
      // What is swapped may hold arrays, and come to stand where the call writes.
      spoilt.written.push(...arrays.map(bytesOf));
    } else if (way === 15) {
      const into = isHolder(original) ? original : holder;
      const unknown = unknownNames[below(unknownNames.length)] as string;
      into[unknown] = value();
      spoilt.what.push(`${path}: ${unknown} = ${name}`);
    } else {
      const first = value();
      const get = [
        () => {
          throw new Error("a getter");
        },
        (() => {
          let reads = 0;
          return () => (reads++ % 2 === 0 ? original : first);
        })(),
        () => first,
        () => original,
      ][way - 16] as () => unknown;
      const kind = ["throws", `alternates with ${name}`, `gives ${name}`, "gives what was there"][way - 16];
      Object.defineProperty(holder, key, { get, set() {}, enumerable: true, configurable: true });
      spoilt.what.push(`${path}: a getter that ${kind}`);
    }
  }
  return spoilt;
}

// The getters of the language: an array may lie about itself.
const prototype = Object.getPrototypeOf(Uint8Array.prototype);
const own = (name: string, view: ArrayBufferView): never =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get?.call(view) as never;

const bytesOf = (view: ArrayBufferView): Uint8Array => {
  try {
    return new Uint8Array(own("buffer", view), own("byteOffset", view), own("byteLength", view));
  } catch {
    // Detached, or shrunk.
    return new Uint8Array();
  }
};

/** A watch over all of a buffer. */
function watch(buffer: ArrayBufferLike) {
  const before = new Uint8Array(buffer).slice();
  return (allowed: readonly Uint8Array[]): "as it was" | "detached" | "written" => {
    if (buffer.byteLength !== before.length) return "detached";
    const now = new Uint8Array(buffer).slice();
    for (const { buffer: other, byteOffset, length } of allowed) {
      if (other === buffer) now.set(before.subarray(byteOffset, byteOffset + length), byteOffset);
    }
    return now.every((byte, i) => byte === before[i]) ? "as it was" : "written";
  };
}

type Watched = readonly [name: string, buffer: ArrayBufferLike, watch: ReturnType<typeof watch>];

/** Milliseconds that a call may take. */
const LIMIT = 30_000;

async function settled(run: () => unknown): Promise<{ result?: unknown; thrown?: unknown; done: boolean }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    let result = run();
    if (result instanceof Promise) {
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT} ms`)), LIMIT);
      });
      result = await Promise.race([result, late]);
    }
    return { result, done: true };
  } catch (thrown) {
    return { thrown, done: false };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Hostile calls `from` .. `to` − 1 of a seed. To reproduce one that went wrong, run it alone: its number stands in what is
 * returned.
 */
export async function fuzz(
  target: string,
  calls: readonly SoundCall[],
  held: ArrayBufferView<ArrayBuffer>,
  seed: number,
  from: number,
  to: number,
): Promise<Fuzzed> {
  const wrong: string[] = [];
  const sound = new Map<SoundCall, string>();
  const soundBits = async (call: SoundCall): Promise<string> => {
    const args = call.make();
    const { result, thrown, done } = await settled(() => call.run(args as never));
    const bits = done ? `${bitsOf(result)} ${bitsOf(args)}` : `threw ${show(thrown)}`;
    await call.after?.(result);
    return bits;
  };
  for (const call of calls) {
    sound.set(call, await soundBits(call));
    if (sound.get(call)?.startsWith("threw")) wrong.push(`${target}: ${call.name} is not sound: ${sound.get(call)}`);
  }
  let refused = 0;
  const inHeld = bytesOf(held);
  for (let number = from; number < to && wrong.length < 200; number++) {
    const random = randomFrom(Math.imul(seed ^ number, 0x9e3779b1));
    // Neighbouring numbers draw alike at first.
    random();
    const call = calls[Math.floor(random() * calls.length)] as SoundCall;
    const args = call.make();
    const arrays = guardArrays(args);
    const originals = args.slice();
    const all = [...arrays.values()];
    inHeld.fill(0);
    const state = call.state?.(args);
    const paths = call.writes(args);
    const mayWrite = (path: string): boolean =>
      paths.some((each) => path === each || path.startsWith(`${each}.`) || each.startsWith(`${path}.`));
    const { what, written, given } = spoil(args, all, held, random, mayWrite);
    const stateBefore = state?.();
    const heldBefore = inHeld.slice();

    const watched: Watched[] = [
      ...[...arrays].map(([path, { buffer }]) => [path, buffer, watch(buffer)] as const),
      ...given
        .filter(({ buffer }) => buffer !== held.buffer)
        .map(({ buffer }) => ["what came in", buffer, watch(buffer)] as const),
    ];
    const report = (problem: string): void => {
      wrong.push(`${target}, call ${number} of seed ${seed}: ${call.name}: ${what.join("; ")}: ${problem}`);
    };
    const { result, thrown, done } = await settled(() => call.run(args as never));
    if (!done) {
      refused++;
      if (!(thrown instanceof DpoError)) report(`threw ${show(thrown)}`);
      for (const [name, , look] of watched) {
        const now = look([]);
        if (now !== "as it was") report(`refused (${show((thrown as Error)?.message)}), and ${name} is ${now}`);
      }
      if (inHeld.some((byte, i) => byte !== heldBefore[i]) && !given.some(({ buffer }) => buffer === held.buffer)) {
        report("refused, and the backend's array is written");
      }
      if (!Object.is(state?.(), stateBefore)) report("refused, and the state has changed");
    } else {
      const results = [...arrays].filter(([path]) => call.writes(originals).some((each) => path.startsWith(each)));
      const allowed = [...results.map(([, array]) => bytesOf(array)), ...written];
      for (const [name, , look] of watched) {
        if (look(allowed) === "written") report(`answered, and beside its results ${name} is written`);
      }
      try {
        await call.after?.(result);
      } catch (error) {
        report(`answered with what fails: ${show(error)}`);
      }
    }
    if ((await soundBits(call)) !== sound.get(call)) report("a sound call afterwards has other bits");
  }
  return { calls: to - from, refused, wrong };
}

// Arrays that are not what they say: own lengths and tags, subclasses, other realms, views of a backend's memory that `allocate`
// did not give. A call takes them for what they are, or refuses them; nothing beside an array is read or written.

import { expect, it } from "vitest";
import { DpoError } from "../src/index.ts";
import { onEachBackend, onEachWasm } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bitsOf, guardArrays, nodesOf, type SoundCall } from "./support/fuzz.ts";
import { backendCalls } from "./support/fuzz-calls.ts";
import { hostileValues } from "./support/fuzz-values.ts";
import type { Typed } from "./support/guards.ts";
import { inTurn } from "./support/in-turn.ts";

/** The same numbers in an array that says something else, or comes from elsewhere. */
const disguises = [
  ...[
    "in shared memory",
    "of another realm",
    "of a class that lies",
    "without a prototype",
    "with another's prototype",
  ],
  ...["that says it is longer", "that says it is shorter", "that says it has no length", "that says it lies elsewhere"],
  ...["that has no buffer", "that says it is another", "that has methods of its own", "with a species"],
  "an array that follows its buffer",
];

/** What a device sees too, not JavaScript alone: these are tried at every place on each backend. */
const ofMemory = ["in shared memory", "an array that follows its buffer"];

/** What is not there, or not an array at all. */
const refused = [
  "a transparent proxy",
  "a detached array",
  "an array whose buffer shrank",
  "what inherits from an array",
];

const makers = new Map(hostileValues);

const placesOf = (call: SoundCall): string[] => [...guardArrays(call.make()).keys()];

/** The call's arguments, the array at this place replaced. */
function replaced(call: SoundCall, place: string, make: (array: Typed) => unknown) {
  const args = call.make();
  const arrays = guardArrays(args);
  const wholes = [...arrays.values()].map(({ buffer }) => ({ buffer, before: new Uint8Array(buffer).slice() }));
  const node = [...nodesOf(args as never)].find(({ path }) => path === place);
  if (node) node.holder[node.key] = make(arrays.get(place) as Typed);
  const unwritten = (): boolean =>
    wholes.every(({ buffer, before }) => new Uint8Array(buffer).every((byte, i) => byte === before[i]));
  return { args, unwritten };
}

const disguiseOf = (name: string, backend: AnyBackend) => (original: Typed) =>
  makers.get(name)?.({
    ...{ random: Math.random, original, arrays: [original], tell() {} },
    held: backend.allocate("f32", 8) as Float32Array<ArrayBuffer>,
  });

const callsOf = (backend: AnyBackend): readonly SoundCall[] =>
  backendCalls(backend, false).filter(({ name }) => !/allocate|free/.test(name));

onEachBackend((backend, name) => {
  // That one is wrapped: the wrapper reads what it moves, as an ordinary program would.
  if (name === "pool, shared arrays") {
    it("is the pool again", () => expect(backend.name).toBe("pool"));
    return;
  }
  it.each(disguises)("the numbers of an array %s are its numbers", async (disguise) => {
    const wrong: string[] = [];
    for (const call of callsOf(backend)) {
      const plain = bitsOf(await call.run(call.make() as never));
      const all = placesOf(call);
      const places = ofMemory.includes(disguise) ? all : inTurn(name, all, disguises.indexOf(disguise), 4);
      for (const place of places) {
        const { args, unwritten } = replaced(call, place, disguiseOf(disguise, backend));
        try {
          if (bitsOf(await call.run(args as never)) !== plain) wrong.push(`${call.name}, ${place}: other numbers`);
        } catch (error) {
          if (!(error instanceof DpoError)) wrong.push(`${call.name}, ${place}: ${error}`);
          if (!unwritten()) wrong.push(`${call.name}, ${place}: refused and written`);
        }
      }
      if (bitsOf(await call.run(call.make() as never)) !== plain) wrong.push(`${call.name}: a later call is spoilt`);
    }
    expect(wrong).toEqual([]);
  });

  it.each(refused)("%s is refused, and nothing is written", async (kind) => {
    const wrong: string[] = [];
    for (const call of callsOf(backend)) {
      for (const place of placesOf(call)) {
        const { args, unwritten } = replaced(call, place, disguiseOf(kind, backend));
        try {
          await call.run(args as never);
          wrong.push(`${call.name}, ${place}: accepted`);
        } catch (error) {
          if (!(error instanceof DpoError)) wrong.push(`${call.name}, ${place}: ${error}`);
          if (!unwritten()) wrong.push(`${call.name}, ${place}: written`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

onEachWasm((backend, name) => {
  if (name === "pool, shared arrays") {
    it("is the pool again", () => expect(backend.name).toBe("pool"));
    return;
  }
  type View = new (buffer: ArrayBufferLike, at: number, n: number) => Typed;
  const viewAt = (at: (held: Float32Array, size: number) => number) => (array: Typed) => {
    const held = backend.allocate("f32", 3);
    return new (array.constructor as View)(held.buffer, at(held, array.BYTES_PER_ELEMENT), array.length);
  };

  it.each([
    ["from the beginning of it, the offset forgotten", () => 0],
    [
      "that begins in an array and ends behind it",
      (held: Float32Array, size: number) => held.byteOffset + 12 - Math.min(size, 4),
    ],
    [
      "of an array that was freed",
      (held: Float32Array) => {
        backend.free(held as never);
        return held.byteOffset;
      },
    ],
  ])("a view of its memory %s is refused", async (_what, at) => {
    // Memory of a pool that is not shared has no neighbours.
    const { buffer } = backend.allocate("f32", 4);
    if (buffer.byteLength === 16) return;
    const wrong: string[] = [];
    for (const call of callsOf(backend)) {
      const plain = bitsOf(await call.run(call.make() as never));
      for (const place of placesOf(call)) {
        try {
          await call.run(replaced(call, place, viewAt(at)).args as never);
          wrong.push(`${call.name}, ${place}: accepted`);
        } catch (error) {
          if ((error as DpoError).code !== "overlap") wrong.push(`${call.name}, ${place}: ${error}`);
        }
      }
      if (bitsOf(await call.run(call.make() as never)) !== plain) wrong.push(`${call.name}: a later call is spoilt`);
    }
    expect(wrong).toEqual([]);
  });
});

// What a caller may hand in by mistake, or on purpose: values to put in the place of sound ones.

import vm from "node:vm";
import type { Typed } from "./guards.ts";

/** What a hostile value is made from. */
export interface Scene {
  readonly random: () => number;
  /** The sound value that is replaced. */
  readonly original: unknown;
  /** Other arrays of the same call. */
  readonly arrays: readonly Typed[];
  /** An array of the backend's `allocate`. */
  readonly held: ArrayBufferView<ArrayBuffer>;
  /** Tells of an array that the call is given by way of the value made. */
  readonly tell: (array: ArrayBufferView) => void;
}

type Make = (scene: Scene) => unknown;
type ViewType = { new (buffer: ArrayBufferLike, at?: number, n?: number): Typed; readonly BYTES_PER_ELEMENT: number };

const globals = globalThis as unknown as Record<string, ViewType | undefined>;
const typeNames = [
  ...["Float32Array", "Float64Array", "Float16Array", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array"],
  ...["Uint16Array", "Int32Array", "Uint32Array", "BigInt64Array", "BigUint64Array"],
].filter((name) => name in globals);

/** The typed arrays of another realm, by name. */
const realm = vm.runInNewContext(`({ ${typeNames.join(", ")}, Object, Array, Map })`) as Record<string, ViewType>;

const isArray = (value: unknown): value is Typed => ArrayBuffer.isView(value) && !(value instanceof DataView);
const classOf = (array: Typed): ViewType => globals[Object.prototype.toString.call(array).slice(8, -1)] as ViewType;
const bytesOf = ({ buffer, byteOffset, byteLength }: Typed): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** An array of the class and the numbers of another, in this buffer. */
function copyInto(array: Typed, buffer: ArrayBufferLike, Type = classOf(array), at = 0): Typed {
  new Uint8Array(buffer, at, array.byteLength).set(bytesOf(array));
  return new Type(buffer, at, array.length);
}

const copyOf = (array: Typed, Type = classOf(array)): Typed => copyInto(array, new ArrayBuffer(array.byteLength), Type);

/** For arrays alone: others get `instead`. */
const ofArray =
  (make: (array: Typed, scene: Scene) => Typed, instead: Make = () => new Float32Array(3)): Make =>
  (scene) => {
    if (!isArray(scene.original)) return instead(scene);
    const made = make(scene.original, scene);
    scene.tell(made);
    return made;
  };

const lying = (properties: (array: Typed) => PropertyDescriptorMap): Make =>
  ofArray((array) => Object.defineProperties(copyOf(array), properties(array)) as Typed);

const property = (value: unknown): PropertyDescriptor => ({ value, configurable: true });

const subclass = (array: Typed): Typed => {
  class Mine extends (classOf(array) as unknown as Float32ArrayConstructor) {
    override get length(): number {
      return 2 ** 20;
    }
    override get byteOffset(): number {
      return 0;
    }
    override subarray(): Float32Array<ArrayBuffer> {
      throw new Error("mine");
    }
  }
  return copyOf(array, Mine as unknown as ViewType);
};

const proxyThat = (trap: keyof ProxyHandler<object>): Make => {
  const throwing = () => {
    throw new Error(`trap ${trap}`);
  };
  return ({ original }) => new Proxy(Object(original ?? {}), { [trap]: throwing });
};

const revoked: Make = ({ original }) => {
  const { proxy, revoke } = Proxy.revocable(Object(original ?? {}), {});
  revoke();
  return proxy;
};

const detached: Make = ofArray((array) => {
  const copy = copyOf(array);
  structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] });
  return copy;
});

const shrunk: Make = ofArray((array) => {
  const buffer = new ArrayBuffer(array.byteLength, { maxByteLength: 2 * array.byteLength });
  const copy = copyInto(array, buffer);
  buffer.resize(Math.floor(array.byteLength / 2));
  return copy;
});

class Mine {
  beta = 0.2;
  #hidden = 1;
  get hidden(): number {
    return this.#hidden;
  }
}

const circle = (): object => {
  const made: Record<string, unknown> = {};
  made["self"] = made;
  return made;
};

const plain: readonly (readonly [string, unknown])[] = [
  ["undefined", undefined],
  ["null", null],
  ["NaN", Number.NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["1e308", 1e308],
  ["-1e308", -1e308],
  ["5e-324", 5e-324],
  ["-1", -1],
  ["0", 0],
  ["-0", -0],
  ["1", 1],
  ["2", 2],
  ["0.5", 0.5],
  ["1.5", 1.5],
  ["2^31-1", 2 ** 31 - 1],
  ["2^31", 2 ** 31],
  ["2^32", 2 ** 32],
  ["2^40", 2 ** 40],
  ["2^53-1", 2 ** 53 - 1],
  ["2^53", 2 ** 53],
  ["true", true],
  ["false", false],
  ["an empty string", ""],
  ["a word", "sigmoid"],
  ["a number in a string", "1"],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["a lone surrogate", "\ud800\u0007\u202e"],
  ["a long string", "x".repeat(100_000)],
  ["1n", 1n],
  ["-2^70n", -(2n ** 70n)],
];

const made: readonly (readonly [string, Make])[] = [
  ["a symbol", () => Symbol("mine")],
  ["Symbol.iterator", () => Symbol.iterator],
  ["an object", () => ({})],
  ["an object without a prototype", () => Object.create(null)],
  ["an object of another realm", () => vm.runInNewContext("({})")],
  ["a circle", circle],
  ["a list", () => []],
  ["a list of NaN", () => [Number.NaN, Number.NaN]],
  ["a sparse list", () => new Array(3)],
  ["a long sparse list", () => new Array(2 ** 32 - 1)],
  ["a nested list", () => [[[]], [null]]],
  ["a list with a hole", ({ original }) => Object.assign([], { 1: Array.isArray(original) ? original[0] : 1 })],
  ["a list of symbols", () => [Symbol("a"), Symbol("b")]],
  ["the numbers in a list", ({ original }) => (isArray(original) ? Array.from(original as ArrayLike<number>) : [1])],
  ["in a list", ({ original }) => [original]],
  ["a Map", () => new Map([["beta", 1]])],
  ["a Set", () => new Set([1])],
  ["a WeakMap", () => new WeakMap()],
  ["a promise", ({ original }) => Promise.resolve([original])],
  [
    "a thenable",
    () => Object.defineProperty({}, ["th", "en"].join(""), { value: (done: (value: unknown) => void) => done(1) }),
  ],
  ["a date", () => new Date(Number.NaN)],
  ["a regular expression", () => /x/g],
  ["an error", () => new RangeError("mine")],
  ["a boxed number", () => Object(1)],
  ["a boxed string", () => Object("sigmoid")],
  ["an instance", () => new Mine()],
  ["a class", () => Mine],
  ["a function", () => () => undefined],
  ["an async function", () => async () => 1],
  ["a generator", () => (function* () {})()],
  ["globalThis", () => globalThis],
  ["what says it is a number", () => ({ valueOf: () => 1, toString: () => "1" })],
  [
    "what throws when it is asked",
    () => ({
      valueOf() {
        throw new Error("valueOf");
      },
      toString() {
        throw new Error("toString");
      },
      [Symbol.toPrimitive]() {
        throw new Error("toPrimitive");
      },
    }),
  ],
  [
    "what says it is an array",
    () => ({
      [Symbol.toStringTag]: "Float32Array",
      length: 8,
      byteLength: 32,
      byteOffset: 0,
      buffer: new ArrayBuffer(32),
    }),
  ],
  ["what inherits from an array", ({ original }) => Object.create(Object(original ?? {}))],
  [
    "a signal that lies",
    () => ({
      aborted: false,
      addEventListener() {
        throw new Error("mine");
      },
      removeEventListener: 5,
    }),
  ],
  ["an aborted signal", () => AbortSignal.abort(Symbol("reason"))],
  [
    "a tag that throws",
    () =>
      Object.defineProperty({}, Symbol.toStringTag, {
        get() {
          throw new Error("tag");
        },
      }),
  ],
  [
    "a length that throws",
    () =>
      Object.defineProperty({}, "length", {
        get() {
          throw new Error("length");
        },
        enumerable: true,
      }),
  ],
  [
    "an iterator that throws",
    () => ({
      length: 1,
      [Symbol.iterator]() {
        throw new Error("iterator");
      },
    }),
  ],
  ["a transparent proxy", ({ original }) => new Proxy(Object(original ?? {}), {})],
  ["a proxy of a function", () => new Proxy(() => [0, 0, 0], {})],
  ["a revoked proxy", revoked],
  [
    "a revoked proxy of a function",
    () => {
      const { proxy, revoke } = Proxy.revocable(() => {}, {});
      revoke();
      return proxy;
    },
  ],
  [
    "a revoked proxy of a list",
    () => {
      const { proxy, revoke } = Proxy.revocable([], {});
      revoke();
      return proxy;
    },
  ],
  ...(["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"] as const).map(
    (trap) => [`a proxy whose ${trap} throws`, proxyThat(trap)] as const,
  ),
  ["a DataView", () => new DataView(new ArrayBuffer(32))],
  ["an ArrayBuffer", () => new ArrayBuffer(32)],
  ["a SharedArrayBuffer", () => new SharedArrayBuffer(32)],
  ["another array of the call", ({ arrays, random }) => arrays[Math.floor(random() * arrays.length)]],
  ["a detached array", detached],
  ["an array whose buffer shrank", shrunk],
  [
    "an array that follows its buffer",
    ofArray((array) => {
      const buffer = new ArrayBuffer(array.byteLength, { maxByteLength: 2 * array.byteLength });
      copyInto(array, buffer);
      return new (classOf(array))(buffer);
    }),
  ],
  ["one element less", ofArray((array) => array.slice(1) as Typed)],
  [
    "one element more",
    ofArray((array) => new (classOf(array))(new ArrayBuffer(array.byteLength + array.BYTES_PER_ELEMENT))),
  ],
  ["none", ofArray((array) => array.slice(0, 0) as Typed)],
  ["a part of it", ofArray((array) => array.subarray(1) as Typed)],
  [
    "half over it",
    ofArray((array) => new (classOf(array))(array.buffer, array.byteOffset + array.BYTES_PER_ELEMENT, array.length)),
  ],
  ["in shared memory", ofArray((array) => copyInto(array, new SharedArrayBuffer(array.byteLength)))],
  ["of another realm", ofArray((array) => copyOf(array, realm[Object.prototype.toString.call(array).slice(8, -1)]))],
  ["of a class that lies", ofArray(subclass)],
  ["without a prototype", ofArray((array) => Object.setPrototypeOf(copyOf(array), null))],
  ["with another's prototype", ofArray((array) => Object.setPrototypeOf(copyOf(array), Int8Array.prototype))],
  ["frozen as far as it goes", ofArray((array) => Object.preventExtensions(copyOf(array)))],
  ["that says it is longer", lying(() => ({ length: property(1000), byteLength: property(4000) }))],
  ["that says it is shorter", lying(() => ({ length: property(1), byteLength: property(4) }))],
  ["that says it has no length", lying(() => ({ length: property(undefined), byteLength: property(null) }))],
  [
    "that says it lies elsewhere",
    lying(() => ({ byteOffset: property(2 ** 20), buffer: property(new ArrayBuffer(8)) })),
  ],
  ["that has no buffer", lying(() => ({ buffer: property(undefined), byteOffset: property("x") }))],
  [
    "that says it is another",
    lying(() => ({ [Symbol.toStringTag]: property("Int32Array"), constructor: property(Int32Array) })),
  ],
  [
    "that has methods of its own",
    lying(() =>
      Object.fromEntries(
        ["set", "subarray", "slice", "fill", "at", "reduce", Symbol.iterator].map((name) => [
          name,
          property(() => {
            throw new Error("mine");
          }),
        ]),
      ),
    ),
  ],
  [
    "with a species",
    lying(() => ({
      constructor: property({
        get [Symbol.species]() {
          throw new Error("species");
        },
      }),
    })),
  ],
  [
    "the backend's memory from its beginning",
    ofArray(
      (array, { held }) =>
        new (classOf(array))(
          held.buffer,
          0,
          Math.min(array.length, Math.floor(held.buffer.byteLength / array.BYTES_PER_ELEMENT)),
        ),
    ),
  ],
  [
    "just behind an array of the backend's",
    ofArray((array, { held }) => {
      const at = held.byteOffset + held.byteLength;
      const room = held.buffer.byteLength - at;
      return room < array.byteLength ? copyOf(array) : new (classOf(array))(held.buffer, at, array.length);
    }),
  ],
  [
    "in an array of the backend's",
    ofArray((array, { held }) =>
      array.byteLength > held.byteLength
        ? copyOf(array)
        : copyInto(array, held.buffer, classOf(array), held.byteOffset),
    ),
  ],
  ...typeNames.map(
    (name) =>
      [
        `as a ${name}`,
        ofArray(
          (array) => {
            const Type = globals[name] as ViewType;
            return new Type(new ArrayBuffer(array.length * Type.BYTES_PER_ELEMENT));
          },
          () => new (globals[name] as ViewType)(new ArrayBuffer(32)),
        ),
      ] as const,
  ),
  [
    "of infinities",
    ofArray((array) =>
      array instanceof Float32Array || array instanceof Float64Array
        ? (copyOf(array) as Float32Array).fill(-Infinity)
        : copyOf(array),
    ),
  ],
  [
    "of the greatest integers",
    ofArray((array) => {
      const bytes = new ArrayBuffer(array.byteLength);
      new Uint8Array(bytes).fill(0x7f);
      return new (classOf(array))(bytes);
    }),
  ],
  [
    "of minus ones",
    ofArray((array) => {
      const bytes = new ArrayBuffer(array.byteLength);
      new Uint8Array(bytes).fill(0xff);
      return new (classOf(array))(bytes);
    }),
  ],
  [
    "as bits of float16",
    ({ original }) => (isArray(original) ? { f16: new Uint16Array(original.length) } : { f16: 1 }),
  ],
  [
    "as both halves",
    ({ original }) =>
      isArray(original)
        ? { f16: new Uint16Array(original.length), bf16: new Uint16Array(original.length) }
        : { bf16: null },
  ],
];

/** All of them: a name for messages, and what makes one. */
export const hostileValues: readonly (readonly [name: string, make: Make])[] = [
  ...plain.map(([name, value]) => [name, () => value] as const),
  ...made,
];

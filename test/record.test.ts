// Reading what a caller hands in: every field once, unknown names refused, and whatever is thrown is one of our errors.

import { describe, expect, it } from "vitest";
import { recordOf } from "../src/checks/record.ts";
import { DpoError } from "../src/errors.ts";

interface Options {
  beta?: unknown;
  labelSmoothing?: unknown;
  out?: unknown;
}

const read = recordOf(
  { what: "options", field: "an option of this call", prefix: "options." },
  ({ beta, labelSmoothing, out }: Options) => ({ beta, labelSmoothing, out }),
);

class Config {
  #beta = 0.3;
  get beta(): number {
    return this.#beta;
  }
  out = 2;
}

const hidden = Object.defineProperty({}, "beta", { get: () => 0.3, enumerable: false });
const bare = Object.assign(Object.create(null), { beta: 0.3 });
const inherited = Object.create({ beta: 0.3 });

describe("what is read", () => {
  it.each([
    ["a plain object", { beta: 0.3 }],
    ["a frozen one", Object.freeze({ beta: 0.3 })],
    ["one without a prototype", bare],
    ["inherited fields", inherited],
    ["an instance of a class", new Config()],
    ["fields that no loop sees", hidden],
    ["a proxy", new Proxy({ beta: 0.3 }, {})],
    ["beside names without a value", { beta: 0.3, bta: undefined }],
    ["beside symbols", { beta: 0.3, [Symbol("mine")]: 1 }],
  ])("%s", (_, given) => {
    expect(read(given).beta).toBe(0.3);
  });

  it("is read once", () => {
    let reads = 0;
    const given = {
      get beta() {
        return ++reads;
      },
    };
    const record = read(given);
    expect([record.beta, record.beta, reads]).toEqual([1, 1, 1]);
  });

  it("may have further names", () => {
    expect(read({ margin: 2 }, () => ["margin"])).toMatchObject({ margin: 2, beta: undefined });
  });

  it("knows nothing of what a script added to all objects", () => {
    const everything = Object.prototype as { polluted?: number };
    everything.polluted = 1;
    try {
      expect(read({ beta: 1 }).beta).toBe(1);
    } finally {
      delete everything.polluted;
    }
  });
});

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const throwing = (): object => ({
  get beta(): never {
    throw new RangeError("mine");
  },
});

describe("what is refused", () => {
  it.each([
    ["null", null, /^options: expected an object, got null$/],
    ["a number", 5, /got a number$/],
    ["a string", "beta", /got a string$/],
    ["a symbol", Symbol("beta"), /got a symbol$/],
    ["a function", () => ({}), /got a function$/],
    ["a list", [], /got a plain array$/],
    ["a typed array", new Float32Array(1), /got a Float32Array$/],
    ["a DataView", new DataView(new ArrayBuffer(1)), /got a DataView$/],
    ["a Map", new Map([["beta", 1]]), /got a Map$/],
    ["a promise", Promise.resolve({}), /got a Promise$/],
    ["a date", new Date(0), /got a Date$/],
    ["a boxed number", Object(5), /got a Number$/],
    ["a revoked proxy", revoked(), /can be read, got one that throws$/],
    ["a getter that throws", throwing(), /can be read, got one that throws$/],
    ["a misspelt name", { labelSmothing: 1 }, /^options\.labelSmothing: not an option of this call; known: beta, .*/],
    ["with a hint", { labelSmothing: 1 }, /; did you mean options\.labelSmoothing\?$/],
    ["an inherited one", Object.create({ labelSmothing: 1 }), /^options\.labelSmothing: not an option/],
    ["a name of all objects", { valueOf: 1 }, /^options\.valueOf: not an option/],
  ])("%s", (_, given, message) => {
    expect(() => read(given)).toThrow(DpoError);
    expect(() => read(given)).toThrow(message);
  });
});

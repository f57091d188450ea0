// Buffers of the calls that see logits that share memory: with a part of an input, or with each other, they are refused before
// anything is written.

import { describe, expect, it } from "vitest";
import { ShapeError } from "../src/index.ts";
import type { LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { sameBytes } from "./support/guards.ts";

const POSITIONS = 12; // two pairs, three positions
const SIZE = 60; // times a vocabulary of five

/** The results, with as many elements as each has. */
const results = {
  losses: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, 2),
  gradChosen: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, 2),
  gradRejected: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, 2),
  chosenRewards: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, 2),
  rejectedRewards: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, 2),
  logps: (buffer: ArrayBuffer, at: number) => new Float64Array(buffer, at, 4),
  tokenLogps: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, POSITIONS),
  logsumexp: (buffer: ArrayBuffer, at: number) => new Float64Array(buffer, at, POSITIONS),
  gradLogits: (buffer: ArrayBuffer, at: number) => new Float32Array(buffer, at, SIZE),
};
type Name = keyof typeof results;
const names = Object.keys(results) as Name[];

const random = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(7 * i));

function soundCall() {
  return {
    tokens: {
      pairs: 2,
      length: 3,
      inputIds: Int32Array.from({ length: POSITIONS }, (_, at) => at % 5),
      completionMask: Int32Array.from({ length: POSITIONS }, (_, at) => (at % 3 === 0 ? 0 : 1)),
    },
    vocab: 5,
    logits: random(SIZE),
    reference: { logits: random(SIZE) },
  };
}

type Call = ReturnType<typeof soundCall>;

/** Each input, put at the start of the buffer. */
const inputs: Record<string, (call: Call, buffer: ArrayBuffer) => object> = {
  logits: (call, buffer) => ({ ...call, logits: moved(call.logits, new Float32Array(buffer, 0, SIZE)) }),
  "reference.logits": (call, buffer) => {
    return { ...call, reference: { logits: moved(call.reference.logits, new Float32Array(buffer, 0, SIZE)) } };
  },
  "reference.logps": (call, buffer) => ({ ...call, reference: { logps: new Float64Array(buffer, 0, 4).fill(-3) } }),
  "tokens.inputIds": (call, buffer) => {
    const inputIds = moved(call.tokens.inputIds, new Int32Array(buffer, 0, POSITIONS));
    return { ...call, tokens: { ...call.tokens, inputIds } };
  },
  "tokens.completionMask": (call, buffer) => {
    const completionMask = moved(call.tokens.completionMask, new Int32Array(buffer, 0, POSITIONS));
    return { ...call, tokens: { ...call.tokens, completionMask } };
  },
};

function moved<A extends Float32Array | Int32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

onEachBackend((backend) => {
  async function expectRefused(
    call: object,
    options: LogitsLossOptions,
    message: RegExp,
    buffer: ArrayBuffer,
  ): Promise<void> {
    const before = new Uint8Array(buffer).slice();
    const run = async () => backend.logitsLoss(call as never, { metrics: "full", ...options });
    await expect(run).rejects.toThrow(ShapeError);
    await expect(run).rejects.toThrow(message);
    expect(sameBytes(new Uint8Array(buffer), before)).toBe(true);
  }

  describe.each(Object.entries(inputs))("over a part of %s", (input, place) => {
    it.each(names)("%s is refused", async (name) => {
      const buffer = new ArrayBuffer(1024);
      const call = place(soundCall(), buffer);
      // From 8 bytes after the start of the input on: never the very same bytes.
      const message = new RegExp(`^out\\.${name}: expected all of ${input} or none of it, got a part$`);
      await expectRefused(call, { out: { [name]: results[name](buffer, 8) } }, message, buffer);
    });

    it.each(names)("%s right behind it is filled", async (name) => {
      const buffer = new ArrayBuffer(1024);
      const call = place(soundCall(), buffer);
      const end = input.includes("logits") ? 240 : input.includes("logps") ? 32 : 48;
      const out = { [name]: results[name](buffer, end) };
      const kept = new Uint8Array(buffer, 0, end).slice();
      expect((await backend.logitsLoss(call as Call, { metrics: "full", out }))[name]).toBe(out[name]);
      expect(sameBytes(new Uint8Array(buffer, 0, end), kept)).toBe(true);
    });
  });

  it.each(names.slice(1).map((name, k) => [name, names[k] as Name] as const))(
    "%s over %s is refused",
    async (name, other) => {
      const buffer = new ArrayBuffer(1024);
      const out = { [other]: results[other](buffer, 0), [name]: results[name](buffer, 0) };
      const message = new RegExp(`^out\\.${name}: expected memory of its own, got that of out\\.${other}$`);
      await expectRefused(soundCall(), { out }, message, buffer);
    },
  );

  it("inPlace: the other results may not lie in the logits", async () => {
    const call = soundCall();
    const { buffer } = call.logits;
    const out = { tokenLogps: new Float32Array(buffer, 16, POSITIONS) };
    const message = /^out\.tokenLogps: expected all of logits or none of it, got a part$/;
    await expectRefused(call, { inPlace: true, out }, message, buffer as ArrayBuffer);
  });
});

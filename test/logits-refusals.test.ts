// What the calls that see logits refuse: class, code and message, and that nothing of the caller's is written.

import { describe, expect, it } from "vitest";
import { AbortError, DpoError, KindError, ParamError, ShapeError } from "../src/index.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bytesOf, sameBytes } from "./support/guards.ts";
import { idRefusals } from "./support/logits-id-refusals.ts";
import { logitsRefusals } from "./support/logits-option-refusals.ts";
import {
  COUNT,
  type LogitsRefusal,
  soundPacked,
  soundTokens,
  tokenRefusals,
  VOCAB,
} from "./support/logits-refusals.ts";
import { missesOfBits } from "./support/logits-results.ts";

const classes = { ShapeError, ParamError, KindError, AbortError };

const logitsOf = (rows: number): Float32Array => Float32Array.from({ length: rows * VOCAB }, (_, i) => Math.sin(3 * i));
const sound = (layout: "padded" | "packed" = "padded") => ({
  tokens: layout === "padded" ? soundTokens() : soundPacked(),
  vocab: VOCAB,
  logits: logitsOf(layout === "padded" ? 16 : COUNT),
  reference: { logps: Float64Array.of(-4, -3, -5, -2) },
});

/** All typed arrays of a value, wherever they stand in it. */
function arraysIn(value: unknown): ArrayBufferView[] {
  if (ArrayBuffer.isView(value)) return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(arraysIn) : [];
}

async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}

/** A call by its name, of whatever it is handed. */
const callOf =
  (backend: AnyBackend, name: "logitsLoss" | "sequenceLogps") =>
  (batch: never, options?: never): unknown =>
    name === "logitsLoss" ? backend.logitsLoss(batch, options) : backend.sequenceLogps(batch, options);

/** The call is refused as the table says, and no array that it was given changes. */
async function expectRefused(
  name: "logitsLoss" | "sequenceLogps",
  backend: AnyBackend,
  refusal: LogitsRefusal,
): Promise<void> {
  const { batch, tokens, options = {}, layout, error, code, message } = refusal;
  const own = sound(layout);
  const call = { ...own, ...(tokens ? { tokens: { ...own.tokens, ...tokens } } : {}), ...batch };
  const out = { logps: new Float64Array(4).fill(7) };
  const given = "out" in options ? options : { ...options, out };
  const arrays = arraysIn([call, given]);
  const before = arrays.map((array) => bytesOf(array).slice());
  const thrown = await thrownBy(async () => callOf(backend, name)(call as never, given as never));
  expect(thrown).toBeInstanceOf(classes[error]);
  expect(thrown).toBeInstanceOf(DpoError);
  expect(thrown).toMatchObject({ name: error, code, message: expect.stringMatching(message) });
  for (const [k, array] of arrays.entries()) expect(sameBytes(bytesOf(array), before[k] as Uint8Array)).toBe(true);
}

onEachBackend((backend) => {
  describe("tokens and vocabularies", () => {
    it.each([...tokenRefusals, ...idRefusals])("$what: $error $code", async (refusal) => {
      await expectRefused("logitsLoss", backend, refusal);
      await expectRefused("sequenceLogps", backend, refusal);
    });
  });

  describe("logits, references, buffers and options", () => {
    it.each(logitsRefusals)("$what: $error $code", (refusal) => expectRefused("logitsLoss", backend, refusal));
  });

  it.each([null, undefined, 3, "batch"])("a batch that is %j", async (batch) => {
    for (const name of ["logitsLoss", "sequenceLogps"] as const) {
      const thrown = await thrownBy(async () => callOf(backend, name)(batch as never));
      expect(thrown).toMatchObject({ name: "KindError", message: expect.stringMatching(/^batch: expected an object/) });
    }
  });

  it.each([null, 3, "options"])("options that are %j", async (options) => {
    for (const name of ["logitsLoss", "sequenceLogps"] as const) {
      const thrown = await thrownBy(async () => callOf(backend, name)(sound() as never, options as never));
      expect(thrown).toMatchObject({
        name: "KindError",
        message: expect.stringMatching(/^options: expected an object/),
      });
    }
  });

  it.each([
    { gradScale: 2 },
    { inPlace: true },
    { beta: 0.2 },
    { lossType: "ipo" },
    { weighting: "wpo" },
    { out: { gradLogits: logitsOf(16) } },
    { out: { losses: new Float32Array(2) } },
  ])("sequenceLogps does not take %j", async (options) => {
    const thrown = await thrownBy(async () => backend.sequenceLogps(sound(), options as never));
    expect(thrown).toBeInstanceOf(ParamError);
    expect((thrown as DpoError).code).toMatch(/^un(used|known)-option$/);
  });

  it("after a refusal the backend is as good as before", async () => {
    const want = await backend.logitsLoss(sound());
    for (const refusal of [...tokenRefusals, ...logitsRefusals].slice(0, 60))
      await expectRefused("logitsLoss", backend, refusal);
    expect(missesOfBits(await backend.logitsLoss(sound()), want)).toEqual([]);
  });

  it("options that are undefined are absent", async () => {
    const names = ["ldAlpha", "weighting", "inPlace", "gradType", "out", "gradScale", "metrics", "validate", "signal"];
    const options = Object.fromEntries([...names, "onProgress", "accumulate"].map((name) => [name, undefined]));
    expect(missesOfBits(await backend.logitsLoss(sound(), options), await backend.logitsLoss(sound()))).toEqual([]);
    expect(await backend.sequenceLogps(sound(), options)).toEqual(await backend.sequenceLogps(sound()));
    const tokens = { ...soundTokens(), offsets: undefined, targets: undefined, lengths: undefined };
    expect(missesOfBits(await backend.logitsLoss({ ...sound(), tokens }), await backend.logitsLoss(sound()))).toEqual(
      [],
    );
  });
});

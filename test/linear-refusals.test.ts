// What linearLoss refuses: class, code and message, and that nothing of the caller's is written.

import { describe, expect, it } from "vitest";
import { AbortError, DpoError, KindError, ParamError, ShapeError } from "../src/index.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bytesOf, sameBytes } from "./support/guards.ts";
import { missesOfLinearBits } from "./support/linear.ts";
import { linearRefusals, soundLinear, soundLora, WIDTH } from "./support/linear-refusals.ts";
import { idRefusals } from "./support/logits-id-refusals.ts";
import { type LogitsRefusal, soundTokens, tokenRefusals, VOCAB } from "./support/logits-refusals.ts";

const classes = { ShapeError, ParamError, KindError, AbortError };

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

const padded = () => ({ ...soundLinear(), tokens: soundTokens(), hidden: new Float32Array(16 * WIDTH) });

/** The call is refused as the table says, and no array that it was given changes. */
async function expectRefused(backend: AnyBackend, refusal: LogitsRefusal, sound: object): Promise<void> {
  const { batch, tokens, options = {}, error, code, message } = refusal;
  const own = sound as { tokens: object };
  const call = { ...own, ...(tokens ? { tokens: { ...own.tokens, ...tokens } } : {}), ...batch };
  const given = "out" in options ? options : { ...options, out: { logps: new Float64Array(4).fill(7) } };
  const arrays = arraysIn([call, given]);
  const before = arrays.map((array) => bytesOf(array).slice());
  const thrown = await thrownBy(() => backend.linearLoss(call as never, given as never));
  expect(thrown).toBeInstanceOf(classes[error]);
  expect(thrown).toBeInstanceOf(DpoError);
  expect(thrown).toMatchObject({ name: error, code, message: expect.stringMatching(message) });
  for (const [k, array] of arrays.entries()) expect(sameBytes(bytesOf(array), before[k] as Uint8Array)).toBe(true);
}

onEachBackend((backend) => {
  const tokens = [...tokenRefusals, ...idRefusals].filter(({ what }) => !what.endsWith("for logits of 5"));
  it.each(tokens)("$what: $error $code", async (refusal) => {
    await expectRefused(backend, refusal, refusal.layout === "packed" ? soundLinear() : padded());
  });

  it.each(linearRefusals)("$what: $error $code", (refusal) => expectRefused(backend, refusal, soundLinear()));

  it.each([null, undefined, 3, "batch"])("a batch that is %j", async (batch) => {
    expect(await thrownBy(() => backend.linearLoss(batch as never))).toMatchObject({ name: "KindError" });
  });

  describe("buffers over inputs", () => {
    it("a gradient may go over the very array that it belongs to, with the same bits", async () => {
      for (const lora of [undefined, soundLora()]) {
        const want = await backend.linearLoss({ ...soundLinear(), lora });
        const call = { ...soundLinear(), lora };
        const { hidden: gradHidden, weight: gradWeight } = call;
        const out = lora ? { gradHidden, gradA: lora.a, gradB: lora.b } : { gradHidden, gradWeight };
        const got = await backend.linearLoss(call, { out });
        expect(missesOfLinearBits(got, want)).toEqual([]);
        expect(got.gradHidden).toBe(gradHidden);
      }
    });

    it("nothing else may", async () => {
      const call = soundLinear();
      const square = { ...call, vocab: VOCAB, weight: call.hidden.subarray(0, VOCAB * WIDTH) };
      const losses = call.weight.subarray(0, 2);
      const cases = [
        { batch: call, out: { losses } },
        { batch: call, out: { gradWeight: call.hidden.subarray(0, 15) } },
        { batch: square, out: { gradHidden: square.hidden } },
        { batch: { ...call, bias: call.weight.subarray(5, 10) }, out: { gradBias: call.weight.subarray(4, 9) } },
      ];
      for (const { batch, out } of cases) {
        const thrown = await thrownBy(() => backend.linearLoss(batch, { out }));
        expect(thrown).toMatchObject({ name: "ShapeError", code: "overlap" });
      }
    });
  });

  it("after a refusal the backend is as good as before", async () => {
    const want = await backend.linearLoss(soundLinear());
    for (const refusal of linearRefusals) await expectRefused(backend, refusal, soundLinear());
    expect(missesOfLinearBits(await backend.linearLoss(soundLinear()), want)).toEqual([]);
  });
});

// Hostile calls: whatever is given, a call that sees logits returns results of the right shape or refuses with a DpoError. It
// never traps, never writes outside its results, and changes nothing when it refuses.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { errorCodes } from "../src/errors.ts";
import { DpoError } from "../src/index.ts";
import type { LogitsBatch, LogitsLossResult } from "../src/types.ts";
import { onEachBackend, onEachWasm } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bytesOf, type Guarded, guarded, memoryOf, sameBytes, type Typed } from "./support/guards.ts";
import { type Fields, type Hostile, type HostileCall, hostile, spoiltCall } from "./support/logits-hostile.ts";
import { rawOf } from "./support/logits-results.ts";
import { spoils } from "./support/logits-spoils.ts";

const RUNS = 1500;
/** A GPU in software takes its time, and what refuses a call is the same code: only what answers one is another. */
const RUNS_ON_GPU = 500;
const SEED = 20261122;

const run = (property: (given: Hostile) => Promise<void>, numRuns = RUNS): Promise<void> =>
  fc.assert(fc.asyncProperty(hostile, property), { numRuns, seed: SEED });

/** The value with every typed array in it moved. */
function mapArrays(value: unknown, move: (array: Typed) => Typed): unknown {
  if (ArrayBuffer.isView(value)) {
    return value instanceof DataView || value.byteLength === 0 ? value : move(value as Typed);
  }
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mapArrays(inner, move)]));
}

async function resultOf(
  call: () => LogitsLossResult | Promise<LogitsLossResult>,
): Promise<{ result?: LogitsLossResult; thrown?: unknown }> {
  try {
    return { result: await call() };
  } catch (thrown) {
    return { thrown };
  }
}

function expectShapes(result: LogitsLossResult, { batch, options }: HostileCall): void {
  const { pairs, length, offsets } = batch.tokens as { pairs: number; length: number; offsets?: ArrayLike<number> };
  const positions = offsets === undefined ? 2 * pairs * length : Number(offsets[2 * pairs]);
  const { losses, gradChosen, gradRejected, logps, tokenLogps, logsumexp, gradLogits } = result;
  const lengths = [losses, gradChosen, gradRejected, logps, tokenLogps, logsumexp].map((array) => array.length);
  expect(lengths).toEqual([pairs, pairs, pairs, 2 * pairs, positions, positions]);
  expect(rawOf(gradLogits).length).toBe(positions * (batch["vocab"] as number));
  const typeOf = (floats: object): string => (ArrayBuffer.isView(floats) ? "f32" : String(Object.keys(floats)[0]));
  expect(typeOf(gradLogits)).toBe(options["gradType"] === "f32" ? "f32" : typeOf(batch["logits"] as object));
}

function expectRefusal(thrown: unknown): void {
  expect(thrown).toBeInstanceOf(DpoError);
  expect(errorCodes).toContain((thrown as DpoError).code);
  expect((thrown as DpoError).message.length).toBeGreaterThan(10);
}

/** Runs a hostile call; `place` puts its arrays where writes beside them show. */
async function check(backend: AnyBackend, given: Hostile, place: (array: Typed) => Guarded<Typed>): Promise<void> {
  const placed = new Map<Typed, Guarded<Typed>>();
  const call = mapArrays(spoiltCall(given), (array) => {
    const found = placed.get(array) ?? place(array);
    placed.set(array, found);
    return found.view;
  }) as HostileCall;
  const before = [...placed.keys()].map((array) => bytesOf(array).slice());
  const { result, thrown } = await resultOf(async () =>
    backend.logitsLoss(call.batch as unknown as LogitsBatch, call.options as never),
  );
  if (result) expectShapes(result, call);
  else expectRefusal(thrown);
  const { out } = call.options as { out?: Fields };
  const results = result ? [...Object.values(out ?? {}), rawOf(result.gradLogits)] : [];
  [...placed.values()].forEach(({ view, isIntact }, k) => {
    expect(isIntact()).toBe(true);
    if (!results.includes(view)) expect(sameBytes(bytesOf(view), before[k] as Uint8Array)).toBe(true);
  });
}

onEachBackend((backend, kind) => {
  const runs = kind === "webgpu" ? RUNS_ON_GPU : RUNS;

  it("hostile calls are refused or answered in shape, and nothing beside the results is written", async () => {
    await run(async (given) => check(backend, given, (array) => guarded(array, 3)), runs);
  });

  it("sequenceLogps: refused or answered in shape", async () => {
    await run(async (given) => {
      const { batch, options } = spoiltCall(given);
      const { ldAlpha, metrics, validate } = options;
      try {
        const { logps } = await backend.sequenceLogps(batch as never, { ldAlpha, metrics, validate } as never);
        expect(logps).toHaveLength(2 * (batch.tokens["pairs"] as number));
      } catch (thrown) {
        expectRefusal(thrown);
      }
    }, runs);
  });
});

onEachWasm((backend) => {
  it("hostile calls on arrays of `allocate` write nothing beside them", async () => {
    const isPlaceable = (array: Typed) => array instanceof Float32Array || array instanceof Uint16Array;
    await run(async (given) => {
      const memory = memoryOf(backend);
      try {
        await check(backend, given, (array) => (isPlaceable(array) ? memory.place(array, 1) : guarded(array, 3)));
      } finally {
        memory.free();
      }
    });
  });
});

describe("the hostile calls", () => {
  it("are sound for a good part, so that both ways are tested", () => {
    const drawn = fc.sample(hostile, { numRuns: 500, seed: SEED });
    expect(drawn.filter(({ changes }) => changes.length === 0).length).toBeGreaterThan(50);
    expect(spoils.size).toBeGreaterThan(400);
  });
});

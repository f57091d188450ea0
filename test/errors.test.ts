// Errors that are not about the arguments of a call: backends that are gone or cannot, signals; the classes themselves; and
// arrays of another realm, which are no error.

import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import {
  AbortError,
  BackendError,
  createBackend,
  createWasm,
  DpoError,
  errorCodes,
  KindError,
  ParamError,
  ShapeError,
  WorkerError,
} from "../src/index.ts";
import type { PairLogps } from "../src/types.ts";
import { backends, onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { missesBits } from "./support/compare.ts";
import { optionRefusals } from "./support/option-refusals.ts";
import { mapPairs, randomPairs } from "./support/pairs.ts";
import { inputRefusals } from "./support/refusals.ts";

const pairs: PairLogps = randomPairs(5, 71);

const present = backends.filter(({ missing }) => !missing);

describe.each(present)("a disposed backend: $name", ({ create }) => {
  const calls: Record<string, (backend: AnyBackend) => unknown> = {
    pairLoss: async (backend) => backend.pairLoss(pairs),
    allocate: (backend) => backend.allocate("f32", 4),
    free: (backend) => backend.free(new Float32Array(4)),
  };

  it.each(Object.keys(calls))("refuses %s", async (name) => {
    const backend = await create();
    await backend.dispose();
    const act = async () => calls[name]?.(backend);
    await expect(act).rejects.toThrow(BackendError);
    await expect(act).rejects.toThrow(
      expect.objectContaining({ code: "disposed", message: `${name}: the backend was disposed of` }),
    );
  });

  it("may be disposed of twice, and by `using`", async () => {
    const backend = await create();
    backend[Symbol.dispose]();
    await expect(async () => backend.pairLoss(pairs)).rejects.toThrow(expect.objectContaining({ code: "disposed" }));
    await backend.dispose();
  });

  it("leaves its results and other backends alone", async () => {
    const [backend, other] = [await create(), await create()];
    const { gradChosen } = await backend.pairLoss(pairs);
    const kept = gradChosen.slice();
    await backend.dispose();
    expect(gradChosen).toEqual(kept);
    expect((await other.pairLoss(pairs)).gradChosen).toEqual(kept);
  });
});

onEachBackend((backend) => {
  describe("a signal", () => {
    it("that is aborted refuses the call with its reason", async () => {
      const reason = new Error("enough");
      const act = async () => backend.pairLoss(pairs, { signal: AbortSignal.abort(reason) });
      await expect(act).rejects.toThrow(AbortError);
      await expect(act).rejects.toThrow(
        expect.objectContaining({ name: "AbortError", code: "aborted", cause: reason }),
      );
    });

    it("that is not aborted does nothing", async () => {
      const { signal } = new AbortController();
      expect(missesBits(await backend.pairLoss(pairs, { signal }), await backend.pairLoss(pairs))).toEqual([]);
    });
  });

  it("progress is reported at the end of a call", async () => {
    const onProgress = vi.fn();
    await backend.pairLoss(pairs, { onProgress });
    expect(onProgress).toHaveBeenLastCalledWith(5, 5);
  });

  describe("arrays of another realm", () => {
    it.each(["Float32Array", "Float64Array"])("%s are accepted", async (kind) => {
      const foreign = mapPairs(pairs, (array, name) =>
        runInNewContext(`${name.endsWith("Lengths") ? "Int32Array" : kind}.from(numbers)`, { numbers: [...array] }),
      );
      expect(foreign.policyChosen).not.toBeInstanceOf(Float32Array);
      expect(foreign.policyChosen).not.toBeInstanceOf(Float64Array);
      const options = { lossType: ["ipo", "apo_zero"] };
      const got = await backend.pairLoss(foreign, options);
      expect(got.loss).toBeCloseTo((await backend.pairLoss(pairs, options)).loss, 4);
    });

    it("serve as `out`", async () => {
      const losses = runInNewContext("new Float32Array(5)") as Float32Array;
      const got = await backend.pairLoss(pairs, { out: { losses } });
      expect(got.losses).toBe(losses);
      expect(Array.from(losses)).toEqual(Array.from((await backend.pairLoss(pairs)).losses));
    });
  });
});

describe("an old name of a loss", () => {
  it("means what it meant, and is warned about once", async () => {
    vi.resetModules();
    const { createJs } = await import("../src/backends/js/js.ts");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const got = createJs().pairLoss(pairs, { lossType: "aot_pair" });
    createJs().pairLoss(pairs, { lossType: ["aot_pair", "aot"] });
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^dpo-kernels: `aot_pair` is .* of `aot_unpaired`.* `aot`,/)],
    ]);
    expect(missesBits(got, createJs().pairLoss(pairs, { lossType: "aot_unpaired" }))).toEqual([]);
    warn.mockRestore();
  });
});

describe("making a backend", () => {
  it.each([-1, 1.5, 2 ** 40, Number.NaN, "64"])("createWasm refuses to reserve %s bytes", async (reserve) => {
    const made = createWasm({ reserve: reserve as number });
    await expect(made).rejects.toThrow(expect.objectContaining({ name: "ParamError", code: "out-of-range" }));
    await expect(made).rejects.toThrow(/^reserve: expected bytes in 0\.\.\d+, got /);
  });

  it("createBackend refuses a kind of work it does not know", async () => {
    const made = createBackend({ for: "cooking" as "pairs" });
    await expect(made).rejects.toThrow(/^for: expected pairs, logits, linear, got "cooking"$/);
    await expect(made).rejects.toThrow(expect.objectContaining({ name: "ParamError", code: "out-of-range" }));
  });

  it.each(present)("$name says which it is, and why", async ({ name, create }) => {
    const backend = await create();
    expect(name.startsWith(backend.name)).toBe(true);
    expect(backend.reason.length).toBeGreaterThan(10);
    await backend.dispose();
  });

  it("createBackend takes wasm for pairs", async () => {
    expect((await createBackend({ for: "pairs" })).name).toBe("wasm");
  });
});

describe("the classes", () => {
  const classes = { ShapeError, ParamError, KindError, BackendError, WorkerError, AbortError };
  const made: Record<keyof typeof classes, Error> = {
    ShapeError: new ShapeError("overlap", "m"),
    ParamError: new ParamError("out-of-range", "m"),
    KindError: new KindError("m"),
    BackendError: new BackendError("disposed", "m"),
    WorkerError: new WorkerError("m"),
    AbortError: new AbortError("why"),
  };

  it.each(Object.entries(made))("%s is a DpoError, an Error, and no other of the classes", (name, error) => {
    expect(error).toBeInstanceOf(DpoError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(name);
    const own = Object.entries(classes).filter(([, other]) => error instanceof other);
    expect(own.map(([other]) => other)).toEqual([name]);
    expect(error instanceof RangeError).toBe(name === "ShapeError" || name === "ParamError");
    expect(error instanceof TypeError).toBe(name === "KindError");
  });

  it("no other error is a DpoError", () => {
    for (const value of [new RangeError("m"), new Error("m"), {}, null, undefined, "m"]) {
      expect(value).not.toBeInstanceOf(DpoError);
    }
  });

  it("every code that can occur in pairLoss occurs in these tests", () => {
    const seen = new Set<string>([...inputRefusals, ...optionRefusals].map(({ code }) => code));
    const elsewhere = ["overlap", "unavailable", "out-of-memory", "disposed", "aborted"]; // out-refusals, allocate, here
    const tokensAndWorkers = ["bad-id", "worker-failed"];
    expect([...seen, ...elsewhere, ...tokensAndWorkers].sort()).toEqual(errorCodes.toSorted());
    expect(errorCodes.length).toBeLessThanOrEqual(15);
  });
});

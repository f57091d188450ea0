// Errors that are not about the arguments of a call: backends that are gone or cannot, signals; the classes themselves; and
// arrays of another realm, which are no error.

import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import * as api from "../src/index.ts";
import type { Backend, PairLogps } from "../src/types.ts";
import { backends, onEachBackend, onEachWasm } from "./support/backends.ts";
import { missesBits } from "./support/compare.ts";
import { optionRefusals } from "./support/option-refusals.ts";
import { mapPairs, randomPairs } from "./support/pairs.ts";
import { inputRefusals } from "./support/refusals.ts";

const { AbortError, BackendError, createBackend, createJs, createWasm, DpoError, defineLoss, errorCodes } = api;
const pairs: PairLogps = randomPairs(5, 71);

const squared = defineLoss({
  id: "squared",
  title: "squared distance to a margin of one",
  paper: "none",
  note: "A loss of the user's own.",
  params: { beta: { default: 0.1, min: 0, max: 10 } },
  margin: (d, beta) => [(beta * d - 1) * (beta * d - 1), 2 * beta * (beta * d - 1)],
});

describe.each(backends.filter(({ missing }) => !missing))("a disposed backend: $name", ({ create }) => {
  const calls: Record<string, (backend: Backend) => unknown> = {
    pairLoss: (backend) => backend.pairLoss(pairs),
    allocate: (backend) => backend.allocate("f32", 4),
    free: (backend) => backend.free(new Float32Array(4)),
  };

  it.each(Object.keys(calls))("refuses %s", async (name) => {
    const backend = await create();
    backend.dispose();
    const act = () => calls[name]?.(backend);
    expect(act).toThrow(BackendError);
    expect(act).toThrow(expect.objectContaining({ code: "disposed", message: `${name}: the backend was disposed of` }));
  });

  it("may be disposed of twice, and by `using`", async () => {
    const backend = await create();
    backend[Symbol.dispose]();
    expect(() => backend.pairLoss(pairs)).toThrow(expect.objectContaining({ code: "disposed" }));
    expect(() => backend.dispose()).not.toThrow();
  });

  it("leaves its results and other backends alone", async () => {
    const [backend, other] = [await create(), await create()];
    const { gradChosen } = backend.pairLoss(pairs);
    const kept = gradChosen.slice();
    backend.dispose();
    expect(gradChosen).toEqual(kept);
    expect(other.pairLoss(pairs).gradChosen).toEqual(kept);
  });
});

describe("a loss of one's own", () => {
  it("works on js", () => {
    const { losses, gradChosen } = createJs().pairLoss(pairs, { lossType: ["sigmoid", squared], lossWeights: [0, 1] });
    const { policyChosen: p, policyRejected: q, referenceChosen: r, referenceRejected: s } = pairs;
    const margin = (p[2] as number) - (r?.[2] as number) - ((q[2] as number) - (s?.[2] as number));
    expect(losses[2]).toBeCloseTo((0.1 * margin - 1) ** 2, 5);
    expect(gradChosen[2]).toBeCloseTo((0.2 * (0.1 * margin - 1)) / 5, 6);
  });

  it("under a built-in name is still one's own", () => {
    const named = defineLoss({ ...squared, id: "sigmoid" });
    const [own, built] = [createJs().pairLoss(pairs, { lossType: named }), createJs().pairLoss(pairs)];
    expect(own.loss).not.toBeCloseTo(built.loss, 3);
  });

  onEachWasm((backend) => {
    it.each(["squared", "sigmoid"])("has no kernel, named %s", (id) => {
      const act = () => backend.pairLoss(pairs, { lossType: defineLoss({ ...squared, id }) });
      expect(act).toThrow(BackendError);
      expect(act).toThrow(expect.objectContaining({ code: "unavailable" }));
      expect(act).toThrow(new RegExp(`^${id}: no kernel of this loss is built in; createJs\\(\\) runs any loss$`));
    });
  });

  it.each([
    ["no name", { ...squared, id: "" }, api.KindError],
    ["no function", { id: "x", title: "", paper: "", note: "", params: {} }, api.KindError],
    ["a default outside its range", { ...squared, params: { beta: { default: 0, min: 1, max: 2 } } }, api.ParamError],
    ["nothing", null, api.KindError],
  ])("with %s is refused", (_what, loss, error) => {
    expect(() => defineLoss(loss as never)).toThrow(error);
    expect(() => defineLoss(loss as never)).toThrow(DpoError);
  });

  it("takes as many hyperparameters as it defines, or is refused", () => {
    const five = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, { default: 2, min: 0, max: 4 }]));
    const act = () => {
      const loss = defineLoss({
        ...squared,
        params: five,
        margin: (_d, ...params: number[]) => [params.reduce((sum, param) => sum + param, 0), 0],
      });
      return createJs().pairLoss(pairs, { lossType: loss }).loss;
    };
    let loss: number | undefined;
    try {
      loss = act();
    } catch (error) {
      expect(error).toBeInstanceOf(DpoError);
    }
    expect([undefined, 10]).toContain(loss);
  });
});

onEachBackend((backend) => {
  describe("a signal", () => {
    it("that is aborted refuses the call with its reason", () => {
      const reason = new Error("enough");
      const act = () => backend.pairLoss(pairs, { signal: AbortSignal.abort(reason) });
      expect(act).toThrow(AbortError);
      expect(act).toThrow(expect.objectContaining({ name: "AbortError", code: "aborted", cause: reason }));
    });

    it("that is not aborted does nothing", () => {
      const { signal } = new AbortController();
      expect(missesBits(backend.pairLoss(pairs, { signal }), backend.pairLoss(pairs))).toEqual([]);
    });
  });

  it("progress is reported at the end of a call", () => {
    const onProgress = vi.fn();
    backend.pairLoss(pairs, { onProgress });
    expect(onProgress).toHaveBeenLastCalledWith(5, 5);
  });

  describe("arrays of another realm", () => {
    it.each(["Float32Array", "Float64Array"])("%s are accepted", (kind) => {
      const foreign = mapPairs(pairs, (array, name) =>
        runInNewContext(`${name.endsWith("Lengths") ? "Int32Array" : kind}.from(numbers)`, { numbers: [...array] }),
      );
      expect(foreign.policyChosen).not.toBeInstanceOf(Float32Array);
      expect(foreign.policyChosen).not.toBeInstanceOf(Float64Array);
      const options = { lossType: ["ipo", "apo_zero"] };
      const got = backend.pairLoss(foreign, options);
      expect(got.loss).toBeCloseTo(backend.pairLoss(pairs, options).loss, 4);
    });

    it("serve as `out`", () => {
      const losses = runInNewContext("new Float32Array(5)") as Float32Array;
      const got = backend.pairLoss(pairs, { out: { losses } });
      expect(got.losses).toBe(losses);
      expect(Array.from(losses)).toEqual(Array.from(backend.pairLoss(pairs).losses));
    });
  });

  it("an old name of a loss is warned about once and means what it meant", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const got = backend.pairLoss(pairs, { lossType: "aot_pair" });
    backend.pairLoss(pairs, { lossType: "aot_pair" });
    expect(warn.mock.calls.length).toBeLessThanOrEqual(1);
    for (const [text] of warn.mock.calls)
      expect(text).toMatch(/^dpo-kernels: `aot_pair` is TRL's name .* `aot_unpaired`/);
    expect(missesBits(got, backend.pairLoss(pairs, { lossType: "aot_unpaired" }))).toEqual([]);
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
    await expect(made).rejects.toThrow(api.ParamError);
  });

  it("every backend says which it is, and why", async () => {
    for (const { name, create, missing } of backends) {
      if (missing) continue;
      const backend = await create();
      expect(name.startsWith(backend.name)).toBe(true);
      expect(backend.reason.length).toBeGreaterThan(10);
    }
    expect((await createBackend({ for: "pairs" })).name).toBe("wasm");
  });
});

describe("the classes", () => {
  const made = {
    ShapeError: new api.ShapeError("overlap", "m"),
    ParamError: new api.ParamError("out-of-range", "m"),
    KindError: new api.KindError("m"),
    BackendError: new BackendError("disposed", "m"),
    WorkerError: new api.WorkerError("m"),
    AbortError: new AbortError("why"),
  };

  it.each(Object.entries(made))("%s is a DpoError, an Error, and no other of the classes", (name, error) => {
    expect(error).toBeInstanceOf(DpoError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(name);
    const own = Object.keys(made).filter((other) => error instanceof api[other as keyof typeof made]);
    expect(own).toEqual([name]);
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
    expect([...seen, ...elsewhere, ...tokensAndWorkers].sort()).toEqual(Object.keys(errorCodes).sort());
    expect(Object.keys(errorCodes).length).toBeLessThanOrEqual(15);
  });
});

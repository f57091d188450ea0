// Losses of the user's own: defineLoss, and where they run.

import { describe, expect, it } from "vitest";
import { BackendError, createJs, DpoError, defineLoss, KindError, ParamError } from "../src/index.ts";
import type { PairLogps } from "../src/types.ts";
import { onEachWasm } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import { randomPairs } from "./support/pairs.ts";

const COUNT = 5;
const pairs = randomPairs(COUNT, 71);
const js = createJs();

const squared = defineLoss({
  id: "squared",
  title: "squared distance to a margin of one",
  params: { beta: { default: 0.1, min: 0, max: 10 } },
  margin: (d, beta) => [(beta * d - 1) * (beta * d - 1), 2 * beta * (beta * d - 1)],
});

const { policyChosen, policyRejected, referenceChosen, referenceRejected } = pairs;
const chosen = Array.from(policyChosen, (logp, i) => logp - (referenceChosen[i] as number));
const rejected = Array.from(policyRejected, (logp, i) => logp - (referenceRejected[i] as number));
const margins = chosen.map((a, i) => a - (rejected[i] as number));

describe("a margin loss on js", () => {
  it("gives its own values and gradients, in a list with others", () => {
    const got = js.pairLoss(pairs, { lossType: ["sigmoid", squared], lossWeights: [0, 2], beta: 0.3 });
    const errors = margins.map((d) => 0.3 * d - 1);
    const slopes = errors.map((error) => (2 * 2 * 0.3 * error) / COUNT);
    expect(
      missesNear(
        "losses",
        got.losses,
        errors.map((error) => 2 * error * error),
        1e-6,
      ),
    ).toEqual([]);
    expect(missesNear("gradChosen", got.gradChosen, slopes, 1e-6)).toEqual([]);
    expect(
      missesNear(
        "gradRejected",
        got.gradRejected,
        slopes.map((slope) => -slope),
        1e-6,
      ),
    ).toEqual([]);
  });

  it("divides by length when it says so, and takes f-divergences", () => {
    const normalised = defineLoss({ ...squared, normalised: true });
    const { chosenLengths, rejectedLengths } = pairs;
    const got = js.pairLoss(pairs, { lossType: normalised });
    const perToken = margins.map(
      (_, i) =>
        (chosen[i] as number) / (chosenLengths[i] as number) - (rejected[i] as number) / (rejectedLengths[i] as number),
    );
    expect(
      missesNear(
        "losses",
        got.losses,
        perToken.map((d) => (0.1 * d - 1) ** 2),
        1e-6,
      ),
    ).toEqual([]);
    const diverged = js.pairLoss(pairs, { lossType: squared, fDivergence: "js_divergence" });
    expect(diverged.loss).not.toBeCloseTo(js.pairLoss(pairs, { lossType: squared }).loss, 3);
  });

  it("under a built-in name is still one's own", () => {
    const named = defineLoss({ ...squared, id: "sigmoid" });
    expect(js.pairLoss(pairs, { lossType: named }).loss).toBe(js.pairLoss(pairs, { lossType: squared }).loss);
  });
});

describe("a pair loss on js", () => {
  const param = (value: number) => ({ default: value, min: 0, max: 10 });
  const four = defineLoss({
    id: "four",
    title: "four hyperparameters",
    params: { first: param(1), second: param(2), third: param(3), fourth: param(4) },
    pair: (a, c, first, second, third, fourth) => [
      first * a + second * c + third * a * c + fourth,
      first + third * c,
      second + third * a,
    ],
  });

  it("takes up to four hyperparameters, by name, in the order in which they are defined", () => {
    const got = js.pairLoss(pairs, { lossType: four, fourth: 7, second: 5 } as object);
    const want = chosen.map((a, i) => a + 5 * (rejected[i] as number) + 3 * a * (rejected[i] as number) + 7);
    expect(missesNear("losses", got.losses, want, 1e-6)).toEqual([]);
    expect(
      missesNear(
        "gradRejected",
        got.gradRejected,
        chosen.map((a) => (5 + 3 * a) / COUNT),
        1e-6,
      ),
    ).toEqual([]);
  });

  it("has ranges and names that are checked like the built-in ones", () => {
    expect(() => js.pairLoss(pairs, { lossType: four, third: 11 } as object)).toThrow(
      /^third: .* \[0, 10\] \(four\), got 11$/,
    );
    expect(() => js.pairLoss(pairs, { lossType: four, fifth: 1 } as object)).toThrow(
      /^fifth: not an option; known: .*fourth/,
    );
    expect(() => js.pairLoss(pairs, { lossType: "ipo", third: 3 } as object)).toThrow(/^third: not an option/);
  });

  it.each([
    ["five hyperparameters", { ...four, params: { ...four.params, fifth: param(5) } }, ParamError],
    ["a default outside its range", { ...squared, params: { beta: { default: 0, min: 1, max: 2 } } }, ParamError],
    ["no name", { ...squared, id: "" }, KindError],
    ["no function", { ...squared, margin: undefined }, KindError],
    ["a number for a function", { ...squared, margin: 3 }, KindError],
    ["two functions", { ...squared, pair: four.pair }, KindError],
    ["no hyperparameters object", { ...squared, params: undefined }, KindError],
    ["nothing", null, KindError],
  ])("with %s is refused", (_what, loss, error) => {
    expect(() => defineLoss(loss as never)).toThrow(error);
    expect(() => defineLoss(loss as never)).toThrow(DpoError);
  });
});

onEachWasm((backend) => {
  it.each(["squared", "sigmoid"])("a loss of one's own has no kernel there, named %s", async (id) => {
    const act = (inputs: PairLogps) => async () =>
      backend.pairLoss(inputs, { lossType: defineLoss({ ...squared, id }) });
    await expect(act(pairs)).rejects.toThrow(BackendError);
    await expect(act(pairs)).rejects.toThrow(expect.objectContaining({ code: "unavailable" }));
    await expect(act(pairs)).rejects.toThrow(
      new RegExp(`^${id}: no kernel of this loss is built in; createJs\\(\\) runs any loss$`),
    );
  });
});

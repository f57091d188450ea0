// examples/controlled-sentiment: what its committed result says, that it is what the code gives, and a quick run of every loss.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bestWithin, frontierPage, frontierPlot, type Report } from "../examples/controlled-sentiment/draw.mjs";
import { type Point, type Result, runExperiment, type Settings } from "../examples/controlled-sentiment/experiment.ts";
import { END, LONGEST, prompts, rewardOf, words, writeReview } from "../examples/controlled-sentiment/language.ts";
import { newModel, nextWordsOf, sample, vocab } from "../examples/controlled-sentiment/model.ts";
import { randomFrom } from "../examples/train-head/toy.ts";
import { lossTypes } from "../src/index.ts";

const folder = "examples/controlled-sentiment";
const report: Report = JSON.parse(readFileSync(`${folder}/results.json`, "utf8"));
const { reference, optimum, runs, settings } = report;

/** The standard error of a policy's mean reward. */
const error = reference.deviation / Math.sqrt(prompts.length * settings.samples);

/** The largest reward at a KL divergence, between the points of the curve. */
function optimumAt(kl: number): number {
  const after = optimum.findIndex((point) => point.kl >= kl);
  const [a, b] = [optimum[after - 1], optimum[after]] as [Point | undefined, Point];
  return a ? a.reward + ((kl - a.kl) / (b.kl - a.kl)) * (b.reward - a.reward) : b.reward;
}

describe("the committed result", () => {
  test("has every loss, at several β", () => {
    expect([...new Set(runs.map(({ loss }) => loss))]).toEqual([...lossTypes]);
    for (const loss of lossTypes) {
      const betas = runs.filter((run) => run.loss === loss).map(({ beta }) => beta);
      expect(betas).toEqual(loss === "sft" ? settings.betas.slice(0, 1) : settings.betas);
    }
    expect(report).toMatchObject({ date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), machine: { cpu: /./, cores: 2 } });
  });

  test.each(lossTypes)("%s has a policy above the reference", (loss) => {
    expect(bestWithin(runs, loss, Infinity)).toBeGreaterThan(reference.reward + 5 * error);
  });

  test("no policy is above the best that there is", () => {
    const end = optimum.at(-1)?.kl ?? 0;
    const near = runs.flatMap(({ points }) => points).filter(({ kl }) => kl <= end);
    expect(near.length).toBeGreaterThan(400);
    for (const { kl, reward } of near) expect(reward).toBeLessThan(optimumAt(kl) + 5 * error);
  });

  test("is what the code gives: the first loss", { timeout: 240_000 }, async () => {
    const first = await runExperiment(settings).next();
    expect(first.value).toStrictEqual(runs[0]);
  });

  test("is what the picture and the page show", () => {
    expect(readFileSync(`${folder}/frontier.gen.svg`, "utf8")).toBe(frontierPlot(report));
    expect(readFileSync(`${folder}/frontier.gen.html`, "utf8")).toBe(frontierPage(report));
  });
});

describe("what docs/controlled-sentiment.md says", () => {
  const page = readFileSync("docs/controlled-sentiment.md", "utf8");

  test("of the run", () => {
    const { date, machine, seconds } = report;
    const said = [date, machine.node, `${runs.length} runs`, `${seconds} s`, `${words.length} words`];
    for (const text of [...said, `${settings.pairs} pairs`, `${reference.reward}`]) expect(page).toContain(text);
  });

  test("of rewards within distances", () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| ([\d.]+|–) \| ([\d.]+|–) \| ([\d.]+|–) \|$/gm)];
    expect(rows.map(([, loss]) => loss)).toEqual([...lossTypes]);
    for (const [, loss = "", ...cells] of rows) {
      const best = [1, 2, 3].map((nats) => bestWithin(runs, loss, nats));
      expect([loss, ...cells]).toEqual([loss, ...best.map((reward) => (reward > 0 ? reward.toFixed(2) : "–"))]);
    }
    const line = /^\| the best there is \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$/m.exec(page) ?? [];
    expect(line.slice(1)).toEqual([1, 2, 3].map((nats) => optimumAt(nats).toFixed(2)));
  });

  test("of single losses", () => {
    const pointsOf = (loss: string, ...betas: number[]) =>
      runs.filter((run) => run.loss === loss && betas.includes(run.beta)).flatMap(({ points }) => points);
    // DiscoPOP learns the reverse where β is small.
    for (const { reward } of pointsOf("discopop", 0.05, 0.1)) expect(reward).toBeLessThan(reference.reward);
    // DPO-Positive stays where it began, at its λ of 50.
    for (const { kl } of pointsOf("dpop", 0.05, 0.1, 1, 5)) expect(kl).toBeLessThan(0.15);
    // Means over tokens run far for little at first.
    for (const loss of ["sigmoid_norm", "ipo", "cpo_ipo", "simpo"]) {
      const [last, before] = pointsOf(loss, 0.05).reverse();
      expect(before?.reward).toBeLessThan(0.77);
      expect(last?.kl).toBeGreaterThan(10);
    }
    // Others are still going.
    for (const loss of ["sigmoid", "exo_pair", "hinge", "robust"]) {
      for (const beta of [0.05, 0.1]) {
        const [last, before] = pointsOf(loss, beta).reverse();
        expect(last?.kl).toBeGreaterThan(Math.max(4, before?.kl ?? Infinity));
      }
    }
    expect(pointsOf("kto", ...settings.betas)).toEqual(pointsOf("apo_zero_unpaired", ...settings.betas));
    // Targets at a finite distance are reached and kept.
    for (const loss of ["sppo_hard", "rpo_sq", "nca_pair", "bco_pair"]) {
      for (const { kl } of pointsOf(loss, 1, 5)) expect(kl).toBeLessThan(0.7);
    }
  });
});

const quick: Settings = {
  ...settings,
  sftSteps: 40,
  pairs: 64,
  batchSize: 32,
  betas: [0.1],
  steps: [1, 3],
  samples: 4,
};

async function runAll(given: Settings): Promise<Result> {
  const experiment = runExperiment(given);
  let next = await experiment.next();
  while (!next.done) next = await experiment.next();
  return next.value;
}

test("a quick run has finite rewards of every loss, the same for the same seed, others for another", async () => {
  const [one, again, other] = [await runAll(quick), await runAll(quick), await runAll({ ...quick, seed: 2 })];
  expect(one.runs.map(({ loss }) => loss)).toEqual([...lossTypes]);
  for (const { kl, reward } of one.runs.flatMap(({ points }) => points)) {
    expect(kl).toBeGreaterThan(0);
    expect(reward > 0 && reward < 1).toBe(true);
  }
  expect(again).toStrictEqual(one);
  expect(other.runs).not.toEqual(one.runs);
});

describe("the language", () => {
  const random = randomFrom(3);

  test("reviews end, are not too long for a policy, and are positive as often as negative", () => {
    const reviews = Array.from({ length: 2000 }, () => writeReview(random));
    for (const review of reviews) {
      expect(review.at(-1)).toBe(END);
      expect(review.length).toBeLessThanOrEqual(LONGEST + 2);
      expect(review.every((id) => words[id] !== undefined)).toBe(true);
    }
    const mean = reviews.reduce((sum, review) => sum + rewardOf(review), 0) / reviews.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
  });

  test("words differ, and the reward counts the pleased ones", () => {
    expect(new Set(words).size).toBe(vocab);
    const ids = (text: string): number[] => text.split(" ").map((word) => words.indexOf(word));
    expect(rewardOf(ids("was great and i loved it ."))).toBeCloseTo(1 / (1 + Math.exp(-2)), 12);
    expect(rewardOf(ids("was great but the plot was dull ."))).toBe(0.5);
  });

  test("a completion's KL is 0 from its own model, and above it from another", () => {
    const [one, other] = [newModel(random), newModel(random)].map(nextWordsOf) as [NextWords, NextWords];
    for (const prompt of prompts) {
      expect(sample(one, one, prompt, random).kl).toBe(0);
      expect(sample(one, other, prompt, random).kl).toBeGreaterThan(0);
    }
  });
});

type NextWords = ReturnType<typeof nextWordsOf>;

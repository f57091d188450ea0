// docs/metrics.md names every key that a call gives, and no other.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { collate, collateRows, createJs } from "../src/js.ts";

const js = createJs();
const page = readFileSync(new URL("../docs/metrics.md", import.meta.url), "utf8");

const documented = (): string[] =>
  page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split(" | ")[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, key]) => key as string));

function given(): string[] {
  const numbers = (...values: number[]) => Float32Array.from(values);
  const pairs = { policyChosen: numbers(-12, -30), policyRejected: numbers(-14, -28) };
  const lengths = { chosenLengths: Int32Array.of(4, 5), rejectedLengths: Int32Array.of(6, 7) };
  const rows = { policy: numbers(-12, -30), reference: numbers(-13, -28), desirable: [true, false] };
  const kl = { klPolicy: numbers(-5), klReference: numbers(-4) };
  const ofPairs = collate([{ prompt: [1, 2], chosen: [3, 4], rejected: [4] }]);
  const ofRows = collateRows([
    { prompt: [1, 2], completion: [3, 4] },
    { prompt: [1, 2], completion: [3] },
  ]);
  const vocab = 6;
  const logitsOf = (tokens: { length: number }) =>
    new Float32Array(2 * tokens.length * vocab).map((_, i) => Math.sin(i));
  const batch = { tokens: ofPairs, vocab, logits: logitsOf(ofPairs) };
  const rowBatch = { tokens: ofRows, vocab, logits: logitsOf(ofRows) };
  const reference = { logps: Float64Array.of(-2, -3) };
  const metrics = "full";
  return [
    js.pairLoss({ ...pairs, ...lengths }, { lossType: "orpo" }),
    js.unpairedLoss({ ...rows, ...kl }, { lossType: ["kto", "bco"] }),
    js.logitsLoss(batch, { lossType: "simpo", metrics }),
    js.logitsLoss({ ...rowBatch, reference, desirable: [true, false] }, { lossType: "bco", metrics }),
    js.sequenceLogps(batch, { metrics }),
    js.sequenceLogps(rowBatch, { metrics }),
  ].flatMap((result) => Object.keys(result.metrics));
}

it("docs/metrics.md has the metrics that calls give", () => {
  expect([...new Set(documented())].sort()).toEqual([...new Set(given())].sort());
});

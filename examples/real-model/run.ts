// From texts to a loss and its gradient: a real language model scores real preference pairs, before and after DPO, and
// the summed log-probs are compared with the recorded ones.
//
//   node examples/real-model/run.ts [--pairs 64] [MODEL TOKENIZER PAIRS [HEAD]]

import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { collate, createBackend } from "dpo-kernels";
import { readTensor } from "../safetensors.ts";
import { hiddenOf, logitsOf } from "./logits.ts";
import { readModel } from "./model.ts";
import { readPairs, tokenise } from "./pairs.ts";
import { readTokenizer } from "./tokenizer.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: "string", default: "64" } },
});
const names = ["stories260K.bin", "tok512.bin", "hh-rlhf-harmless-base-test.jsonl.gz", "hh-stories260k.safetensors"];
const data = new URL("../../../shared/data/", import.meta.url);
const files = positionals.length > 0 ? positionals : names.map((name) => new URL(name, data));
const [modelFile, tokenizerFile, pairsFile, headFile] = files.filter(existsSync).map((file) => readFileSync(file));
if (!modelFile || !tokenizerFile || !pairsFile || !files.slice(0, 3).every(existsSync)) {
  console.log(`Needs a model, its tokenizer and preference pairs: ${names.slice(0, 3).join(", ")}.`);
  console.log("README.md beside this file says where they come from. Then:");
  console.log("  node examples/real-model/run.ts MODEL TOKENIZER PAIRS");
  process.exit(1);
}

const model = readModel(modelFile);
const tokenizer = readTokenizer(tokenizerFile);
const dialogues = readPairs(pairsFile).slice(0, Number(values.pairs));
const examples = dialogues.map((pair) => tokenise(pair, tokenizer));
// The head after DPO. Without it the policy is the reference, as before the first step: the loss is ln 2.
const head = headFile ? Float64Array.from(new Float32Array(readTensor(headFile, "policy_head"))) : model.embedding;

const backend = await createBackend({ for: "logits" });
const { dim, vocab } = model;
const logps = { policy: [] as number[][], ref: [] as number[][] };
const sums = { loss: 0, accuracy: 0, squares: 0, tokens: 0 };
const batchSize = 16;
for (let first = 0; first < examples.length; first += batchSize) {
  const tokens = collate(examples.slice(first, first + batchSize));
  const share = tokens.pairs / examples.length;
  const states = hiddenOf(model, tokens);
  const reference = await backend.sequenceLogps({ tokens, vocab, logits: logitsOf(states, model.embedding, dim) });
  const policy = await backend.logitsLoss(
    { tokens, vocab, logits: logitsOf(states, head, dim), reference: { logps: reference.logps } },
    { lossType: "sigmoid", beta: 0.1 },
  );
  for (let i = 0; i < tokens.pairs; i++) {
    logps.policy.push([i, i + tokens.pairs].map((row) => policy.logps[row] ?? Number.NaN));
    logps.ref.push([i, i + tokens.pairs].map((row) => reference.logps[row] ?? Number.NaN));
  }
  sums.loss += share * policy.loss;
  sums.accuracy += share * (policy.metrics["rewards/accuracies"] ?? 0);
  sums.squares += policy.gradLogits.reduce((sum, g) => sum + (share * g) ** 2, 0);
  sums.tokens += tokens.completionMask.reduce((count, bit) => count + bit, 0);
}

const lines = readFileSync(new URL("../data/hh-stories260k-logps.jsonl", import.meta.url), "utf8").split("\n");
const furthest = (side: "policy" | "ref"): string => {
  const distances = logps[side].flatMap(([chosen = Number.NaN, rejected = Number.NaN], i) => {
    const recorded: Record<string, number> = JSON.parse(lines[i] ?? "{}");
    const { [`${side}_chosen_logps`]: c = Number.NaN, [`${side}_rejected_logps`]: r = Number.NaN } = recorded;
    return [Math.abs(chosen - c), Math.abs(rejected - r)];
  });
  return `${Math.max(...distances).toExponential(1)} nats`;
};

console.log(`${examples.length} pairs of Anthropic HH-RLHF, ${sums.tokens} completion tokens, ${backend.name}`);
console.log(`loss (sigmoid, beta 0.1)      ${sums.loss.toPrecision(7)}`);
console.log(`accuracy                      ${(100 * sums.accuracy).toFixed(1)} %`);
console.log(`|gradient of the logits|      ${Math.sqrt(sums.squares).toExponential(3)}`);
console.log(`furthest from the record      ${furthest("ref")} (reference)`);
if (headFile) console.log(`                              ${furthest("policy")} (policy)`);
await backend.dispose();

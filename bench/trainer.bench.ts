// A step of createTrainer against what it cannot do without: its call of linearLoss and its step of AdamW, on the same batches.

import { generator } from "../src/bench/random.ts";
import { collate, createWasm } from "../src/index.ts";
import { adamw, adamwState, createTrainer, type TrainStep } from "../src/train.ts";
import { interleave, table } from "./measure.ts";
import { save } from "./report.ts";

const [vocab, hiddenSize, pairs, tokens] = [8192, 128, 8, 48];
const random = generator(3);
const ids = (n: number) => Array.from({ length: n }, () => Math.floor(random() * vocab));
const floats = (n: number) => Float32Array.from({ length: n }, () => random() - 0.5);

const examples = Array.from({ length: pairs }, () => ({ prompt: ids(16), chosen: ids(tokens), rejected: ids(tokens) }));
const weight = floats(vocab * hiddenSize);
const backend = await createWasm();
const batch = collate(examples);
const hidden = floats(2 * pairs * batch.length * hiddenSize);
const config = { per_device_train_batch_size: pairs, max_steps: 1_000_000, learning_rate: 1e-4 };

const head = { weight: weight.slice(), vocab, hiddenSize };
const trainer = await createTrainer({ config, examples, backbone: () => hidden, head, backend, shuffle: false });
const steps = trainer[Symbol.asyncIterator]();

const own = weight.slice();
const gradWeight = new Float32Array(own.length);
const gradHidden = new Float32Array(hidden.length);
const inputs = { tokens: batch, vocab, hiddenSize, hidden, weight: own, reference: { hidden, weight } };
const state = adamwState(own);
const candidates = [
  {
    name: "linearLoss + adamw",
    run() {
      backend.linearLoss(inputs, { metrics: "full", frozen: "hidden", out: { gradWeight } });
      adamw(own, gradWeight, state, { lr: 1e-4, weightDecay: 0 });
    },
  },
  { name: "createTrainer's step", run: (): Promise<IteratorResult<TrainStep>> => steps.next() },
  { name: "linearLoss", run: () => void backend.linearLoss(inputs, { out: { gradWeight, gradHidden } }) },
  { name: "linearLoss, frozen", run: () => void backend.linearLoss(inputs, { frozen: "hidden", out: { gradWeight } }) },
];

const timings = await interleave(candidates, { rounds: 7, runs: 2, units: 1 });
const rows = candidates.map(({ name }) => {
  const { median = 0, min = 0 } = timings.get(name) ?? {};
  return { name, median: median / 1e6, min: min / 1e6 };
});
const [least, step, whole, frozen] = rows;
const over = (step?.min ?? 0) / (least?.min ?? 1) - 1;
const saved = 1 - (frozen?.min ?? 0) / (whole?.min ?? 1);
console.log(`${pairs} pairs of ${tokens} tokens, vocabulary ${vocab}, width ${hiddenSize}: ms a step\n`);
console.log(
  table(
    ["", "median", "min"],
    rows.map(({ name, median, min }) => [name, median, min]),
  ),
);
console.log(
  `\ncreateTrainer: ${(100 * over).toFixed(1)} % over the two calls; frozen hidden states save ${(100 * saved).toFixed(1)} % of linearLoss`,
);
save("trainer", { unit: "ms", pairs, tokens, vocab, hiddenSize, rows, over, saved });

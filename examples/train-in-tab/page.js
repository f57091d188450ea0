// Trains a head in this tab, in workers or on a real GPU: pause it, close the tab, open it again, and it goes on with the same bits.
// Serve the folder above `dist` and `examples`, open index.html. ?steps=100 makes it shorter.

import { createPool } from "../../dist/pool.js";
import { createTrainer, opfsStore } from "../../dist/train.js";
import { createWebGpu, hasRealGpu } from "../../dist/webgpu.js";
import { curves } from "./curves.js";
import { dataSets, examplesOf, makeModel } from "./data.js";

const element = (id) => document.getElementById(id);
const steps = Number(new URLSearchParams(location.search).get("steps") ?? 300);
const say = (text) => Object.assign(element("status"), { textContent: text });

/** What was drawn so far, which outlives the tab as the checkpoints do. */
const history = {
  read: () => JSON.parse(localStorage.getItem(chosen()) ?? "[]"),
  write: (lines) => localStorage.setItem(chosen(), JSON.stringify(lines)),
};

/** The training that is chosen: each has a folder of its own. */
const chosen = () => `train-in-tab-${element("data").value}-${element("what").value}-${steps}`;

let isPaused = true;
/** @type {{ trainer: any, backend: any, lines: any[] } | undefined} */
let current;

async function open() {
  const { head, backbone } = makeModel();
  const name = element("data").value;
  // A GPU in software is slower than workers, and either leaves this thread to the page.
  const backend = navigator.gpu && (await hasRealGpu()) ? await createWebGpu() : await createPool({ workers: 2 });
  element("backend").textContent = `${backend.name}: ${backend.reason}`;
  const trainer = await createTrainer({
    config: {
      max_steps: steps,
      per_device_train_batch_size: 16,
      learning_rate: element("what").value === "lora" ? 1e-2 : 3e-3,
      eval_strategy: "steps",
      eval_steps: 50,
    },
    ...{ examples: examplesOf(name, 512), evalExamples: examplesOf(name, 64, 9), backbone, head, backend },
    lora: element("what").value === "lora" ? { rank: 4, alpha: 8 } : undefined,
    checkpoint: { store: await opfsStore(chosen()), everySteps: 10 },
    resume: true,
  });
  const lines = history.read().filter(({ step }) => step <= trainer.step);
  return { trainer, backend, lines };
}

async function run() {
  isPaused = false;
  update();
  current ??= await open();
  const { trainer, lines } = current;
  draw(lines);
  for await (const { step, metrics } of trainer) {
    lines.push({ step, ...metrics });
    history.write(lines);
    draw(lines);
    say(`step ${step} of ${steps}: loss ${metrics.loss.toFixed(4)}, margin ${metrics["rewards/margins"].toFixed(4)}`);
    if (isPaused) break;
  }
  if (trainer.step < trainer.steps) {
    await trainer.checkpoint();
    say(`paused behind step ${trainer.step} of ${steps}: close the tab if you like`);
  } else {
    await finish(trainer);
  }
}

function draw(lines) {
  const series = (key) => lines.filter((line) => line[key] !== undefined).map((line) => [line.step, line[key]]);
  const both = (key) => ({ training: series(key), evaluation: series(`eval_${key}`) });
  element("curves").innerHTML = [
    curves("Loss", both("loss"), steps),
    curves("Margin of the rewards", both("rewards/margins"), steps),
    curves("Accuracy", both("rewards/accuracies"), steps),
  ].join("");
  Object.assign(element("progress"), { value: lines.at(-1)?.step ?? 0, max: steps });
}

/** Links to the files, and a fingerprint of what was trained. */
async function finish(trainer) {
  const files = Object.entries(await trainer.files());
  element("files").replaceChildren(
    ...files.map(([name, bytes]) => {
      const href = URL.createObjectURL(new Blob([bytes]));
      return Object.assign(document.createElement("a"), { href, download: name, textContent: `Download ${name}` });
    }),
  );
  const [, tensors] = files.find(([name]) => name.endsWith(".safetensors"));
  say(`done: ${steps} steps; weights ${await fingerprint(tensors)}`);
}

async function fingerprint(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ends what is open, since another is chosen. */
async function close() {
  const ended = current;
  current = undefined;
  await ended?.trainer.dispose();
  await ended?.backend.dispose();
  element("files").replaceChildren();
  const lines = history.read();
  draw(lines);
  say(lines.length > 0 ? `was at step ${lines.at(-1).step} of ${steps}; Start goes on behind its last checkpoint` : "");
}

async function startOver() {
  const store = await opfsStore(chosen());
  for (const name of await store.list()) await store.remove(name);
  localStorage.removeItem(chosen());
  await close();
}

function update() {
  for (const id of ["start", "anew", "data", "what"]) element(id).disabled = !isPaused;
  if (current?.trainer.step === steps) element("start").disabled = true;
  element("pause").disabled = isPaused;
  element("start").textContent = element("status").textContent === "" ? "Start" : "Go on";
}

/** What fails is said on the page. */
const saying = (work) => async () => {
  try {
    await work();
  } catch (error) {
    say(`${error.name}: ${error.message}`);
  }
  isPaused = true;
  update();
};

for (const [value, { title }] of Object.entries(dataSets)) element("data").add(new Option(title, value));
element("start").onclick = saying(run);
element("pause").onclick = () => {
  isPaused = true;
};
element("anew").onclick = saying(startOver);
element("data").onchange = saying(close);
element("what").onchange = saying(close);
saying(close)();

// dpo-kernels train: a head, or an adapter of it, tuned on preference data, with what a TRL configuration says.

import { type Command, Option } from "commander";
import { createBackend, createJs, createWasm } from "../index.ts";
import { createPool } from "../pool.ts";
import type { AsyncBackend, Backend } from "../types.ts";
import { createWebGpu } from "../webgpu.ts";
import { expandPaths } from "./files.ts";
import { type Fingerprint, hashOf, hashOfModel, hashOfText, hashOfTokenizer, version } from "./fingerprint.ts";
import { countOf } from "./option-values.ts";
import { checkPageName } from "./page.ts";
import { refusal } from "./refusal.ts";
import { toJson } from "./report.ts";
import { type Dtype, dtypes, weightsOf } from "./score/load.ts";
import { readSettings, type Settings } from "./train/config.ts";
import { readHiddenFile } from "./train/hidden-file.ts";
import { addKeys, givenKeys } from "./train/keys.ts";
import { readMetrics } from "./train/metrics-file.ts";
import { openModelTask } from "./train/open-task.ts";
import { trainText, writeTrainPage } from "./train/report.ts";
import { runTraining } from "./train/run.ts";

interface Flags {
  data?: string[];
  evalData?: string[];
  model?: string;
  hidden?: string;
  dtype: Dtype;
  config?: string;
  trlVersion?: string;
  out?: string;
  report?: string;
  backend: keyof typeof backends;
  workers?: number;
  shuffle: boolean;
  json?: true;
}

const backends = {
  auto: () => createBackend({ for: "linear" }),
  pool: (workers: number | undefined) => createPool(workers === undefined ? {} : { workers }),
  wasm: () => createWasm(),
  js: async () => createJs(),
  webgpu: () => createWebGpu(),
} satisfies Record<string, (workers: number | undefined) => Promise<unknown>>;

const examples = `
Examples:
  dpo-kernels train --data pairs.jsonl --model my-model --config dpo.yaml --out run1 --report run1.html
  dpo-kernels train --data pairs.jsonl --model my-model --use-peft --lora-r 8 --learning-rate 1e-4 --out run2
  dpo-kernels train --hidden states.safetensors --max-steps 200 --learning-rate 1e-3 --out run3

Every key of a TRL configuration that is followed is an option too, under its own name: --warmup-ratio 0.1.
The folder of --out gets the trained head or adapter, metrics.jsonl and, during the run, checkpoints. An interrupted run
resumes when the same command is given again. Ctrl-C stops it after the current step, with a checkpoint.
Tensors of --hidden: hidden [2·pairs, T, D], the chosen rows first; weight [V, D]; input_ids, completion_mask [2·pairs, T];
optionally attention_mask, bias, reference_logps [2·pairs]. With labels [rows] the rows are single completions; kto then needs
kl_hidden, kl_input_ids, kl_completion_mask [rows, T'] of the mismatched rows, and optionally takes kl_reference_logps [rows].`;

/** Adds the command `train`. */
export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .usage("--data FILE... --model DIR --out DIR [options]\n       dpo-kernels train --hidden FILE --out DIR [options]")
    .description("Tunes the head of a model, or a LoRA of it, on preference data.")
    .option("--data <files...>", "texts, messages or token lists: JSON lines, a JSON array or Parquet")
    .option("--eval-data <files...>", "the same, for evaluation")
    .option("--model <folder>", "a model in ONNX with hidden states, its tokenizer and its safetensors")
    .option("--hidden <file>", "hidden states, tokens and a head, in place of data and model: .safetensors")
    .option("--out <folder>", "where the head, its checkpoints and metrics go")
    .option("--config <file>", "a TRL DPOConfig (CPO-, ORPO-, KTO-, BCOConfig), as JSON or YAML")
    .option("--trl-version <version>", "the TRL version that the config is for")
    .option("--report <file>", "a page with the curves: .html")
    .addOption(new Option("--dtype <type>", "which file of weights").choices(Object.keys(dtypes)).default("fp32"))
    .addOption(new Option("--backend <name>", "what computes").choices(Object.keys(backends)).default("auto"))
    .option("--workers <number>", "workers of the pool", countOf)
    .option("--no-shuffle", "keep the order of the data")
    .option("--json", "print one JSON object");
  addKeys(command)
    .addHelpText("after", examples)
    .action(async (flags: Flags) => {
      const { out, report: page, json } = checked(flags);
      const settings = await readSettings(flags.config, flags.trlVersion, givenKeys({ ...flags }));
      const report = await start(out, flags, settings);
      const lines = await readMetrics(out);
      if (page !== undefined) await writeTrainPage(page, report, lines);
      console.log(json ? toJson(report) : trainText(report, lines));
      if (page !== undefined && !json) console.log(`wrote ${page}`);
    });
}

function checked(flags: Flags) {
  const { data, evalData, model, hidden, out, report, workers, backend, json } = flags;
  if (out === undefined) throw refusal("--out: missing; a folder for the head, its checkpoints and metrics");
  if (hidden === undefined && model === undefined) {
    throw refusal("--model: missing; a folder with a model, or --hidden with a file of hidden states");
  }
  if (hidden !== undefined && model !== undefined)
    throw refusal("--hidden: takes the place of --model; give one of them");
  if (hidden !== undefined && (data ?? evalData) !== undefined) {
    throw refusal(`--${data ? "data" : "eval-data"}: --hidden has the tokens of its states; leave it out`);
  }
  if (model !== undefined && data === undefined) throw refusal("--data: missing; files of preference data");
  if ([...(data ?? []), ...(evalData ?? [])].includes("-")) {
    throw refusal("-: a training that may be resumed reads its data again; give it a file");
  }
  if (workers !== undefined && backend !== "pool" && backend !== "auto")
    throw refusal("--workers: needs --backend pool");
  checkPageName(report);
  return { out, report, json };
}

async function start(out: string, flags: Flags, settings: Settings) {
  const { hidden, model, dtype, shuffle, workers, trlVersion: trl } = flags;
  const data = await expandPaths(flags.data ?? []);
  const evalData = await expandPaths(flags.evalData ?? []);
  const options = { ...settings, trl, shuffle, dtype };
  const of: Fingerprint =
    model === undefined
      ? { "hidden states": await hashOf([hidden ?? ""]) }
      : {
          model: await hashOfModel(model, await weightsOf(model, dtype, "--model")),
          tokenizer: await hashOfTokenizer(model),
          data: await hashOf([...data, ...evalData]),
        };
  return runTraining({
    ...{ out, settings, version: trl, shuffle },
    fingerprint: { version, ...of, options: hashOfText(toJson(options)) },
    openTask: () =>
      model === undefined
        ? readHiddenFile(hidden ?? "", settings.lossTypes)
        : openModelTask({ data, evalData, model, dtype }, settings),
    // The same bits, whatever their number.
    openBackend: (): Promise<Backend | AsyncBackend> =>
      backends[workers === undefined ? flags.backend : "pool"](workers),
  });
}

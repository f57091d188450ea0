#!/usr/bin/env node
// The command line: what `npx dpo-kernels` runs. Exit status 0: done; 2: wrong usage or wrong input; 1: anything else.

import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { collateSynonyms } from "../checks/collate-synonyms.ts";
import { didYouMean } from "../checks/hints.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { trainingSynonyms } from "../checks/training-synonyms.ts";
import { BackendError, DpoError } from "../errors.ts";
import { addBench } from "./bench.ts";
import { addDoctor } from "./doctor.ts";
import { addFields } from "./fields.ts";
import { addLoss } from "./loss.ts";
import { addModelProcess } from "./queue/model-process.ts";
import { fileProblem } from "./refusal.ts";
import { addScore } from "./score.ts";
import { addTrain } from "./train.ts";
import { dashedOptions, joinLists } from "./words.ts";

const synonyms = [...lossSynonyms, ...collateSynonyms, ...trainingSynonyms];

const program = new Command("dpo-kernels")
  .description("Preference-tuning losses and their gradients, with TRL's numbers.")
  .version(packageJson.version, "-V, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .showHelpAfterError("(--help lists the options)")
  // Hints are those of the library: commander's go by looks, and would offer --beta for --eta.
  .showSuggestionAfterError(false)
  .configureOutput({ outputError: (text, write) => write(withHint(text)) })
  .exitOverride();
addLoss(program);
addScore(program);
addTrain(program);
addFields(program);
addDoctor(program);
addBench(program);
addModelProcess(program);

// A reader that has seen enough, such as `head`, is no error: the status is that of a program that SIGPIPE ends.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(128 + 13);
  console.error(`error: ${fileProblem("standard output", error).message}`);
  process.exit(1);
});
// There is nowhere left to say it.
process.stderr.on("error", () => {});

try {
  const given = process.argv.slice(2);
  const words = given[0] === "train" ? dashedOptions(given) : given;
  await program.parseAsync(joinLists(words), { from: "user" });
} catch (error) {
  process.exitCode = report(error);
}

/** Commander's words, with the option that was probably meant. */
function withHint(text: string): string {
  const [, flag] = /unknown option '--([^'=]+)/.exec(text) ?? [];
  if (flag === undefined) return text;
  const named = program.commands.filter((command) => command.name() === process.argv[2]);
  const names = new Set(
    (named.length > 0 ? named : program.commands).flatMap(({ options }) => options.map((option) => option.name())),
  );
  const words = { synonyms, lead: "\n(Did you mean ", show: (name: string) => `--${name}` };
  const hint = didYouMean(flag, [...names], words);
  return hint === "" ? text : `${text.trimEnd()}${hint})\n`;
}

/** Prints what has not been printed yet, and says with which status to end. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const isRefusal = error instanceof Error && "exitCode" in error;
  if (!isRefusal && !(error instanceof DpoError)) {
    console.error(error);
    return 1;
  }
  console.error(`error: ${error.message}`);
  if (isRefusal) return Number(error.exitCode);
  return error instanceof BackendError ? 1 : 2;
}

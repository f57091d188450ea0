// The words of the command line, before its options are read.

import { existsSync } from "node:fs";

/** Options that take several words; what ends them is a word that cannot be one of theirs, so that FILE may follow. */
const lists: Readonly<Record<string, (word: string) => boolean>> = {
  "--loss-type": (word) => /^[a-z_]+(,[a-z_]+)*$/.test(word) && !existsSync(word),
  "--loss-weights": (word) => word !== "" && !Number.isNaN(Number(word.split(",")[0])) && !existsSync(word),
};

/** TRL's own spelling of options, which are its keys: `--learning_rate` is `--learning-rate`. */
export const dashedOptions = (words: readonly string[]): string[] =>
  words.map((word) => word.replace(/^--\w+/, (option) => option.replaceAll("_", "-")));

/** Joins the words of an option with commas: `--loss-type sigmoid sft FILE` becomes `--loss-type=sigmoid,sft FILE`. */
export function joinLists(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "--") return [...joined, ...words.slice(i)];
    const [option = "", given] = word.split(/=(.*)/s);
    const belongs = Object.hasOwn(lists, option) ? lists[option] : undefined;
    // The first word is the option's in any case, so that a misspelt name is called so.
    const first = belongs && given === undefined ? words[i + 1] : given;
    if (!belongs || first === undefined || (given === undefined && first.startsWith("--"))) {
      joined.push(word);
      continue;
    }
    if (given === undefined) i++;
    const list = [first];
    while (i + 1 < words.length && belongs(words[i + 1] as string)) list.push(words[++i] as string);
    joined.push(`${option}=${list.join(",")}`);
  }
  return joined;
}

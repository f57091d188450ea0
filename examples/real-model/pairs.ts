// Preference pairs of Anthropic's HH-RLHF as token lists: whole dialogues in, the last answer is the completion.

import { gunzipSync } from "node:zlib";
import { end, start, type Tokenizer } from "./tokenizer.ts";

/** Two dialogues that differ in how the assistant's answer goes on. */
export interface Dialogues {
  chosen: string;
  rejected: string;
}

export interface TokenLists {
  prompt: number[];
  chosen: number[];
  rejected: number[];
}

/** The pairs of a file of JSON lines, gzipped. */
export const readPairs = (file: Uint8Array): Dialogues[] =>
  gunzipSync(file)
    .toString("utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const turn = "\n\nAssistant:";

/** What both dialogues begin with, up to the last turn of the assistant in it, and what follows in each. */
export function tokenise({ chosen, rejected }: Dialogues, { encode }: Tokenizer): TokenLists {
  let common = 0;
  while (common < chosen.length && chosen[common] === rejected[common]) common++;
  const split = chosen.slice(0, common).lastIndexOf(turn) + turn.length;
  // A model of 260,000 weights has no use for long texts: the prompt's end and the completion's beginning will do.
  const completion = (text: string): number[] => [...encode(text.slice(split)), end].slice(0, 56);
  return {
    prompt: [start, ...encode(` ${chosen.slice(0, split)}`).slice(-23)],
    chosen: completion(chosen),
    rejected: completion(rejected),
  };
}

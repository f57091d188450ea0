// Hostile calls of a seed, alone: node test/support/fuzz-one.ts TARGET SEED FROM [TO].

import { fuzzers } from "./fuzz-targets.ts";

const [target, seed, from, to = Number(from) + 1] = process.argv.slice(2);
const found = fuzzers.find(({ name }) => name === target);
if (!found) throw new Error(`target: expected one of ${fuzzers.map(({ name }) => name).join("; ")}, got ${target}`);
const { calls, refused, wrong } = await found.run(Number(seed), Number(from), Number(to));
console.log(`${calls} calls, ${refused} refused, ${wrong.length} wrong`, ...wrong.map((each) => `\n${each}`));

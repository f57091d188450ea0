// Whether `bench --compare` finds what it should: ten comparisons of the build in dist/ with itself, then three with copies in which a
// kernel of pairs, of logits and of a head does a part of its work twice, about 15 % of a call. `node bench/planted.bench.ts`, after a
// build; four minutes on a quiet machine, and no more than eight: what is not reached is not in the results, which say how much was.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Change, Comparison } from "../src/bench.ts";
import { clock } from "./measure.ts";
import { plant, plants } from "./plant.ts";
import { save } from "./report.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const folder = mkdtempSync(join(tmpdir(), "dpo-kernels-planted-"));
const TIMES = 10;
const LONGEST = 8 * 60e3;
const cases = plants.map((one) => one.case);

const since = performance.now();
const left = (): number => LONGEST - (performance.now() - since);

function compare(before: string, after: string, seed: number, names: readonly string[]): readonly Change[] | undefined {
  const args = ["--compare", before, after, "--quick", "--seed", String(seed), "--format", "json", "--cases", ...names];
  const command = [join(root, "src/cli/main.ts"), "bench", ...args, ...(clock === "cpu" ? ["--processor-time"] : [])];
  try {
    const text = execFileSync(process.execPath, command, {
      encoding: "utf8",
      timeout: Math.max(1, Math.round(left())),
    });
    return (JSON.parse(text) as Comparison).changes;
  } catch (error) {
    if (Object(error).code === "ETIMEDOUT") return undefined;
    throw error;
  }
}

const textOf = ({ case: name, candidate, arrays, ratio, lower, upper, verdict }: Change): string =>
  `${name}, ${candidate}, ${arrays}: ${verdict}, ${ratio.toFixed(3)} (${lower.toFixed(3)}–${upper.toFixed(3)})`;

const isFound = ({ verdict }: Change): boolean => verdict === "slower" || verdict === "faster";
const kept = ({ case: name, candidate, arrays, ratio, lower, upper, verdict }: Change) => ({
  case: name,
  candidate,
  arrays,
  ratio,
  lower,
  upper,
  verdict,
});

try {
  const planted = [];
  for (const [k, one] of plants.entries()) {
    const changes = compare(dist, plant(one, join(folder, String(k))), 1, cases);
    if (!changes) break;
    // The js backend has none of the modules' kernels.
    const concerned = changes.filter((change) => change.case === one.case && !change.candidate.startsWith("js"));
    const others = changes.filter((change) => !concerned.includes(change));
    console.log(`\na slow-down planted in ${one.within}…`);
    for (const change of [...concerned, ...others.filter(isFound)]) console.log(`  ${textOf(change)}`);
    planted.push({
      case: one.case,
      figures: concerned.length,
      found: concerned.filter(({ verdict }) => verdict === "slower").length,
      elsewhere: others.filter(isFound).length,
      changes: concerned.map(kept),
    });
  }
  const itself = [];
  for (let seed = 1; seed <= TIMES; seed++) {
    const changes = compare(dist, dist, seed, cases);
    if (!changes) break;
    const [found, unclear] = [changes.filter(isFound), changes.filter(({ verdict }) => verdict === "unclear")];
    console.log(`with itself, ${seed}: ${found.length} of ${changes.length} found, ${unclear.length} unclear`);
    for (const change of found) console.log(`  ${textOf(change)}`);
    itself.push({ seed, figures: changes.length, unclear: unclear.length, found: found.map(kept) });
  }
  save("planted", {
    seconds: Math.round((performance.now() - since) / 1e3),
    comparisons: itself.length,
    figures: itself.reduce((sum, one) => sum + one.figures, 0),
    found: itself.reduce((sum, one) => sum + one.found.length, 0),
    unclear: itself.reduce((sum, one) => sum + one.unclear, 0),
    planted,
    itself,
  });
} finally {
  rmSync(folder, { recursive: true });
}

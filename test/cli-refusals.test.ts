// What the command line refuses: one message on stderr that says where, and exit status 2.

import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { lines, pair, run, write } from "./cli-run.ts";

describe("refusals end with status 2 and one message", () => {
  const refused = (args: readonly string[], input?: string): string => {
    const { stdout, stderr, status } = run(["loss", ...args], { input: input ?? "" });
    expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
    return stderr;
  };
  const without = (name: string): object => Object.fromEntries(Object.entries(pair).filter(([key]) => key !== name));

  it.each([
    ["a string", { ...pair, ref_chosen_logps: "-1" }, [], "ref_chosen_logps: expected a number, got a string"],
    ["null", { ...pair, ref_chosen_logps: null }, [], "ref_chosen_logps: expected a number, got null"],
    ["a missing field", without("ref_chosen_logps"), [], "ref_chosen_logps: missing (needed by sigmoid)"],
    ["missing lengths", pair, ["--loss-type", "ipo"], "chosen_length: missing (needed by ipo)"],
    ["half a token", { ...pair, chosen_length: 1.5 }, [], "chosen_length: expected a number of tokens, got 1.5"],
    [
      "NaN",
      { ...pair, policyChosen: 1, policy_chosen_logps: "NaN" },
      ["--finite"],
      "policy_chosen_logps: expected a finite number, got NaN",
    ],
    [
      "a line with text in a length",
      { ...pair, chosen_length: "secret" },
      [],
      "chosen_length: expected a number, got a string",
    ],
    [
      "tokens beyond counting",
      { ...pair, chosen_length: 1e300 },
      [],
      "chosen_length: expected a number of tokens, got 1e+300",
    ],
    ["another value", [1, 2], [], "expected an object, got an array"],
  ])("%s names file, line and field", (_, wrong, args, message) => {
    const path = write("wrong.jsonl", lines({ ...pair, chosen_length: 5, rejected_length: 4 }, "", wrong));
    expect(refused([path, ...args])).toBe(`error: ${path}:3: ${message}\n`);
  });

  it("of standard input names it", () => {
    expect(refused(["-"], lines(pair, "{}"))).toBe(
      "error: stdin:2: policy_chosen_logps: missing (needed by every loss)\n",
    );
  });

  it("of a Parquet file names the row", () => {
    const columnData = Object.keys(pair).map((name) => ({
      name,
      type: "DOUBLE" as const,
      data: [-1, name.startsWith("ref") ? null : -2],
    }));
    const path = write("wrong.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    expect(refused([path])).toBe(`error: ${path}: row 2: ref_chosen_logps: expected a number, got null\n`);
    const other = write("other.parquet", "no Parquet at all");
    expect(refused([other])).toBe(`error: ${other}: damaged, or not Parquet (its last bytes are not PAR1)\n`);
  });

  it.each([
    [["missing.jsonl"], "error: missing.jsonl: no such file or directory\n"],
    [["src"], "error: src: is a directory\n"],
    [["-"], "error: stdin: no pairs\n"],
    [["/dev/null"], "error: /dev/null: no pairs\n"],
    [[], "error: missing FILE"],
    [["-", "--bta", "1"], "error: unknown option '--bta'\n(Did you mean --beta?)"],
    [["-", "--pref-beta", "1"], "error: unknown option '--pref-beta'\n(Did you mean --beta?)"],
    [["-", "--lable-smoothing", "1"], "error: unknown option '--lable-smoothing'\n(Did you mean --label-smoothing?)"],
    // η is a learning rate: no option of this command, and least of all β.
    [["-", "--eta", "1"], "error: unknown option '--eta'\n(--help lists the options)"],
    [["-", "--beta", "x"], "Expected a number."],
    [["-", "--beta", "-1"], "error: --beta: expected a number in (0, ∞) (sigmoid), got -1\n"],
    [["-", "--loss-type", "dpo"], "error: --loss-type: expected one of sigmoid, sigmoid_norm"],
    [["-", "--discopop-tau", "1"], "error: --discopop-tau: not used by sigmoid"],
    [["-", "--batch-size", "0"], 'Expected a number of pairs, or "all".'],
    [["-", "--backend", "gpu"], "Allowed choices are auto, wasm, js"],
    [["-", "--trl-version", "0.9.6"], "error: --trl-version: needs --config\n"],
    [["-", "--config", "missing.json"], "error: missing.json: no such file or directory\n"],
    [["-", "--config", "docs/command-line.md"], "error: docs/command-line.md:1:1: not JSON: expected a value\n"],
  ])("%j", (args, message) => {
    expect(refused(args)).toContain(message);
  });
});

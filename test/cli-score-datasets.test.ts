// What `score` writes, as Python's own libraries read it: datasets, pyarrow, and by their source TRL's trainers, which need PyTorch to
// run. Run whole by hand, TRL 1.16.0's own log-probs of the reference were within 2e-5 nats of these, those of mismatched rows too.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { openOutput } from "../src/cli/out.ts";
import { openSource } from "../src/cli/source.ts";
import { folder, lines, root, run, write } from "./cli-run.ts";
import { noDatasets, python } from "./support/python.ts";
import { missing, modelFolder } from "./text/support.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

type Row = Record<string, unknown>;
interface Answer {
  readonly loaded: readonly { features: Record<string, string>; rows: Row[] }[];
  readonly same: readonly boolean[];
  readonly trainers: Record<"dpo" | "kto", { columns: string[]; arguments: string[] }>;
}

function ask(load: readonly string[], compare: readonly (readonly [string, string])[]): Answer {
  const script = fileURLToPath(new URL("support/load_scored.py", import.meta.url));
  const input = JSON.stringify({ load, compare });
  const { stdout, stderr, status } = spawnSync(python, [script], { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as Answer;
}

const said = (role: string, content: string) => [{ role, content }];
const data: Record<string, object[]> = {
  texts: [" happy.", " red."].map((chosen) => ({ prompt: " The cat was", chosen, rejected: " sad ✓." })),
  messages: [null, [{ type: "function", function: { name: "f", parameters: { x: { type: "string" } } } }]].map(
    (tools) => ({
      ...{
        prompt: said("user", "What is red?"),
        chosen: said("assistant", " A ball."),
        rejected: said("assistant", " Sky."),
      },
      tools,
    }),
  ),
  rows: [true, false].map((label) => ({ prompt: " The cat was", completion: ` ${label ? "happy" : "sad"}.`, label })),
};

describe.skipIf(noDatasets !== "")(`files that are written${noDatasets && ` (${noDatasets})`}`, () => {
  it.skipIf(missing !== "")("are loaded by datasets as they are, with the columns that TRL's trainers keep", () => {
    const names = Object.keys(data).flatMap((name) => ["parquet", "jsonl"].map((format) => `${name}.${format}`));
    for (const name of names) {
      const input = write(`${name}.data.jsonl`, lines(...(data[name.replace(/\..*/, "")] as object[])));
      const { status, stderr } = run(["score", input, "--model", modelFolder(), "--out", join(folder, name)]);
      expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: "" });
    }
    const { loaded, trainers } = ask(
      names.map((name) => join(folder, name)),
      [],
    );
    for (const [i, { features, rows }] of loaded.entries()) {
      const name = names[i] as string;
      const text = readFileSync(join(folder, name.replace("parquet", "jsonl")), "utf8").trim();
      expect(rows.length).toBe(2);
      // JSON is read with 12 digits there.
      for (const [k, line] of text.split("\n").entries()) {
        for (const [column, value] of Object.entries(JSON.parse(line) as Row)) {
          const got = rows[k]?.[column];
          if (typeof value === "number") expect(got).toBeCloseTo(value, 8);
          else expect([name, column, got]).toEqual([name, column, value]);
        }
      }
      const { columns } = trainers[name.startsWith("rows") ? "kto" : "dpo"];
      const wanted = columns.filter((column) => column.startsWith("ref_"));
      expect(wanted.length).toBe(2);
      expect(wanted.map((column) => features[column])).toEqual(wanted.map(() => "Value('float64')"));
    }
    expect(loaded[2]?.features["tools"]).toContain("Json");
  });

  it("have the very values of the nested columns that they came from, says pyarrow", async () => {
    const golden = new URL("golden/parquet-nested/", import.meta.url);
    const pairs: [string, string][] = [];
    for (const name of readdirSync(golden).filter((one) => one.endsWith(".parquet"))) {
      const [from, to] = [fileURLToPath(new URL(name, golden)), join(folder, `again-${name}`)];
      const source = await openSource(from, "all");
      const output = await openOutput(to, [from], [], { shapes: source.shapes });
      for await (const block of source.rows)
        await output.add(
          block.map(([, row]) => row),
          () => ({}),
        );
      await output.keep();
      pairs.push([from, to]);
    }
    expect(ask([], pairs).same).toEqual(pairs.map(() => true));
  });

  it("train by examples/score/train.py, whose one method is TRL's, as the guide has it", () => {
    const example = readFileSync(join(root, "examples/score/train.py"), "utf8");
    expect(readFileSync(join(root, "docs/score.md"), "utf8")).toContain(`\`\`\`python\n${example}\`\`\``);
    const { trainers } = ask([], []);
    for (const { arguments: own } of Object.values(trainers))
      expect(example).toContain(`_precompute_ref_logps(${own.join(", ")})`);
  });
});

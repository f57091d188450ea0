// The command line over files of rows with labels: KTO, unpaired APO and BCO.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import { folder, lines, loss, type Printed, run, write } from "./cli-run.ts";

interface Line {
  label: boolean;
  policy_logps: number;
  ref_logps: number;
  kl_policy_logps?: number | null;
  kl_ref_logps?: number | null;
}

const rows: Line[] = Array.from({ length: 9 }, (_, i) => ({
  label: i % 3 !== 1,
  policy_logps: -20 + 3 * Math.sin(i),
  ref_logps: -20 + 2 * Math.cos(2 * i),
  kl_policy_logps: -30 + Math.sin(3 * i),
  kl_ref_logps: -30 - Math.cos(i),
}));
const input = lines(...rows);
const js = createJs();
const of = (key: keyof Line, some: readonly Line[] = rows) => Float64Array.from(some, (row) => Number(row[key]));
const batchOf = (some: readonly Line[] = rows) => ({
  policy: of("policy_logps", some),
  reference: of("ref_logps", some),
  desirable: some.map(({ label }) => label),
});
const klOf = (some: readonly Line[] = rows) => ({
  klPolicy: of("kl_policy_logps", some),
  klReference: of("kl_ref_logps", some),
});
type Rows = Omit<Printed, "pairs"> & { rows: number; rowsPerSecond: number };
const printed = (args: readonly string[], text = input): Rows =>
  loss(["-", ...args], { input: text }) as unknown as Rows;

describe("rows", () => {
  it("kto, as unpairedLoss has it", () => {
    const got = printed(["--loss-type", "kto", "--beta", "0.2", "--desirable-weight", "1.5"]);
    const options = { lossType: "kto", beta: 0.2, desirableWeight: 1.5 } as const;
    const want = js.unpairedLoss({ ...batchOf(), ...klOf() }, options);
    expect(got.loss).toBeCloseTo(want.loss, 6);
    expect(got.gradNorm).toBeCloseTo(Math.hypot(...want.grad), 6);
    expect(Object.keys(got.metrics).sort()).toEqual(Object.keys(want.metrics).sort());
    for (const [name, value] of Object.entries(want.metrics)) expect(got.metrics[name]).toBeCloseTo(value, 5);
    expect(got).toMatchObject({ rows: 9, batches: 1, losses: [{ id: "kto", weight: 1 }] });
    expect(got).not.toHaveProperty("pairs");
    expect(got.notes).toEqual(["kto: depends on which rows share a batch; here all rows were one batch"]);
  });

  it("in batches: k is each batch's, means are over the rows of either label", () => {
    const got = printed(["--loss-type=kto", "--batch-size", "4"]);
    const parts = [rows.slice(0, 4), rows.slice(4, 8), rows.slice(8)];
    const wants = parts.map((some) => js.unpairedLoss({ ...batchOf(some), ...klOf(some) }, { lossType: "kto" }));
    const mean = wants.reduce((sum, want, i) => sum + want.loss * (parts[i]?.length ?? 0), 0) / 9;
    expect(got.loss).toBeCloseTo(mean, 6);
    const whole = js.unpairedLoss({ ...batchOf(), ...klOf() }, { lossType: "kto" }).metrics;
    for (const name of ["rewards/chosen", "rewards/rejected", "rewards/margins", "logps/chosen", "count/rejected"]) {
      expect(got.metrics[name]).toBeCloseTo(whole[name] as number, 5);
    }
    expect(got.notes[0]).toMatch(/^kto: .* here 3 batches of up to 4 rows/);
  });

  it("apo_zero_unpaired and bco need no mismatched rows; bco takes a density ratio and a running mean", () => {
    const plain = lines(...rows.map(({ label, policy_logps, ref_logps }) => ({ label, policy_logps, ref_logps })));
    const apo = printed(["--loss-type", "apo_zero_unpaired"], plain);
    expect(apo.loss).toBeCloseTo(js.unpairedLoss(batchOf(), { lossType: "apo_zero_unpaired" }).loss, 6);
    const weighted = lines(...rows.map((row, i) => ({ ...row, density_ratio: i })));
    const bco = printed(["--loss-type", "bco", "--reward-shift", "0.3"], weighted);
    const densityRatio = Float64Array.from(rows.keys());
    const options = { lossType: "bco", rewardShift: 0.3 } as const;
    expect(bco.loss).toBeCloseTo(js.unpairedLoss({ ...batchOf(), densityRatio }, options).loss, 6);
    const running = printed(["--loss-type", "bco", "--reward-shift", "running", "--batch-size", "3"], plain);
    expect(running.notes[0]).toMatch(/^bco: depends on which rows share a batch/);
    expect(running.metrics).toHaveProperty("delta");
  });

  it("several at once, and all of them", () => {
    const sum = printed(["--loss-type", "kto", "apo_zero_unpaired", "--loss-weights", "1", "0.5"]);
    expect(sum.each?.map(({ id }) => id)).toEqual(["kto", "apo_zero_unpaired"]);
    const [kto, apo] = sum.each ?? [];
    expect(sum.loss).toBeCloseTo((kto?.loss ?? NaN) + 0.5 * (apo?.loss ?? NaN), 6);
    const all = printed(["--loss-type", "all"]);
    expect(all.each?.map(({ id }) => id)).toEqual(["kto", "apo_zero_unpaired", "bco"]);
    const without = lines(...rows.map(({ label, policy_logps, ref_logps }) => ({ label, policy_logps, ref_logps })));
    const some = printed(["--loss-type", "all"], without);
    expect(some.each?.map(({ id }) => id)).toEqual(["apo_zero_unpaired", "bco"]);
    expect(some.notes).toContain("kto: left out, since the first row has no kl_policy_logps, kl_ref_logps");
  });

  it("under TRL's names, as 0 and 1, and under names of one's own", () => {
    const named = rows.map((row) => ({
      labels: row.label ? 1 : 0,
      completion_logps: row.policy_logps,
      reference_logps: row.ref_logps,
      KL_logps: row.kl_policy_logps,
      reference_KL_logps: row.kl_ref_logps,
    }));
    expect(printed(["--loss-type", "kto"], lines(...named)).loss).toBe(printed(["--loss-type", "kto"]).loss);
    const mine = rows.map(({ label, ...row }) => ({ ...row, thumbs: label }));
    const got = printed(["--loss-type", "kto", "--map", "label=thumbs"], lines(...mine));
    expect(got.loss).toBe(printed(["--loss-type", "kto"]).loss);
  });

  it("mismatched rows of another number, and rows whose loss is NaN", () => {
    const fewer = rows.map((row, i) => (i < 6 ? row : { ...row, kl_policy_logps: null, kl_ref_logps: null }));
    const want = js.unpairedLoss({ ...batchOf(), ...klOf(rows.slice(0, 6)) }, { lossType: "kto" });
    expect(printed(["--loss-type", "kto"], lines(...fewer)).loss).toBeCloseTo(want.loss, 6);
    const broken = rows.map((row, i) => (i === 4 ? { ...row, policy_logps: "NaN" } : row));
    const got = printed(["--loss-type", "kto"], lines(...broken));
    const kept = rows.filter((_, i) => i !== 4);
    const without = js.unpairedLoss({ ...batchOf(kept), ...klOf() }, { lossType: "kto" });
    expect(got.loss).toBeCloseTo(without.loss, 6);
    expect(got.gradNorm).toBeCloseTo(Math.hypot(...without.grad), 6);
    expect(got).toMatchObject({ nan: { rows: 1, first: "stdin:5" } });
    expect(run(["loss", "-", "--loss-type", "kto"], { input: lines(...broken) }).status).toBe(1);
  });

  it("by a recipe of KTO's", () => {
    const path = write("kto.yaml", "beta: 0.2\ndesirable_weight: 1.5\nlearning_rate: 5e-7\n");
    const got = printed(["--config", path]);
    expect(got.losses).toEqual([{ id: "kto", weight: 1 }]);
    expect(got.loss).toBe(printed(["--loss-type", "kto", "--beta", "0.2", "--desirable-weight", "1.5"]).loss);
  });

  it("row by row, in a file", () => {
    const out = `${folder}/rows.jsonl`;
    printed(["--loss-type", "kto", "--out", out]);
    const { losses, rewards } = js.unpairedLoss({ ...batchOf(), ...klOf() }, { lossType: "kto", metrics: "full" });
    const written = readFileSync(out, "utf8").trim().split("\n");
    for (const [i, line] of written.entries()) {
      const { loss, reward, ...row } = JSON.parse(line);
      expect(row).toEqual(rows[i]);
      expect(loss).toBeCloseTo(losses[i] ?? NaN, 6);
      expect(reward).toBeCloseTo(rewards?.[i] ?? NaN, 6);
    }
    expect(written).toHaveLength(rows.length);
  });

  it("as a table", () => {
    const { stdout, status } = run(["loss", "-", "--loss-type", "kto"], { input });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^stdin: kto, beta 0\.1$/m);
    expect(stdout).toMatch(/^9 rows in /m);
  });
});

describe("pairs with more columns", () => {
  const pairs = Array.from({ length: 3 }, (_, i) => ({
    policy_chosen_logps: -10 + i,
    policy_rejected_logps: -12,
    ref_chosen_logps: -11,
    ref_rejected_logps: -11.5,
    reward_margin: 0.5 * i,
  }));
  it("reward_margin is that of the losses of a given margin", () => {
    const got = loss(["-", "--loss-type", "rpo_sq", "--beta", "0.5"], { input: lines(...pairs) });
    const want = pairs.map(({ policy_chosen_logps: p, reward_margin: m }) => (0.5 * (p + 12 - 0.5) - m) ** 2);
    expect(got.loss).toBeCloseTo(want.reduce((a, b) => a + b) / 3, 6);
    const lacking = lines(pairs[0], { ...pairs[1], reward_margin: null });
    expect(run(["loss", "-", "--loss-type", "rpo_sq"], { input: lacking }).stderr).toContain(
      "stdin:2: reward_margin: ",
    );
  });

  it("options of hyperparameters are those of the table", () => {
    const input = lines(...pairs.map((pair) => ({ ...pair, chosen_length: 5, rejected_length: 4 })));
    const args = ["--loss-type", "simpo", "--beta", "2", "--simpo-gamma", "1", "--alphapo-alpha", "0.5"];
    const options = { lossType: "simpo", beta: 2, simpoGamma: 1, alphapoAlpha: 0.5 } as const;
    const column = (key: "policy_chosen_logps" | "policy_rejected_logps") =>
      Float64Array.from(pairs, (pair) => pair[key]);
    const want = js.pairLoss(
      {
        policyChosen: column("policy_chosen_logps"),
        policyRejected: column("policy_rejected_logps"),
        chosenLengths: Int32Array.of(5, 5, 5),
        rejectedLengths: Int32Array.of(4, 4, 4),
      },
      options,
    );
    expect(loss(["-", ...args], { input }).loss).toBeCloseTo(want.loss as number, 6);
  });
});

it("fields says as what the columns of rows are read", () => {
  const { stdout } = run(["fields", "-", "--json"], { input });
  const { columns } = JSON.parse(stdout) as { columns: { name: string; type: string; field?: string }[] };
  expect(columns.map(({ name, type, field }) => [name, type, field])).toEqual([
    ["label", "boolean", "label"],
    ["policy_logps", "number", "policy_logps"],
    ["ref_logps", "number", "ref_logps"],
    ["kl_policy_logps", "number", "kl_policy_logps"],
    ["kl_ref_logps", "number", "kl_ref_logps"],
  ]);
});

describe("refused:", () => {
  const lacking = (key: keyof Line): string => {
    const { [key]: _, ...first } = rows[0] as Line;
    return lines(first, ...rows.slice(1));
  };
  it.each([
    [
      "rows without their losses",
      [],
      input,
      "stdin: rows with a label each, not pairs; their losses (--loss-type) are kto, apo_zero_unpaired, bco",
    ],
    ["a loss of pairs", ["--loss-type", "ipo"], input, "stdin: rows with a label each, not pairs; "],
    ["losses of both kinds", ["--loss-type", "kto", "ipo"], input, ""],
    ["no label", ["--loss-type", "bco"], lacking("label"), "stdin:1: label: missing (needed by bco)"],
    [
      "a label that is none",
      ["--loss-type", "bco"],
      lines({ ...rows[0], label: "yes" }),
      "stdin:1: label: expected true or false, got a string",
    ],
    [
      "a label of 2",
      ["--loss-type", "bco"],
      lines({ ...rows[0], label: 2 }),
      "stdin:1: label: expected true or false, got 2",
    ],
    ["no reference", ["--loss-type", "bco"], lacking("ref_logps"), "stdin:1: ref_logps: missing (needed by bco)"],
    [
      "half a mismatched row",
      ["--loss-type", "kto"],
      lacking("kl_ref_logps"),
      "stdin:1: kl_ref_logps: missing (needed by the other of the mismatched row)",
    ],
    [
      "no mismatched row",
      ["--loss-type", "kto"],
      lines({ ...rows[0], kl_policy_logps: null, kl_ref_logps: null }),
      "stdin:1: kl_policy_logps: missing (needed by kto)",
    ],
    [
      "infinities where they are not wanted",
      ["--loss-type", "bco", "--finite"],
      lines({ ...rows[0], policy_logps: "-Infinity" }),
      "stdin:1: policy_logps: expected a finite number, got -Infinity",
    ],
    ["groups", ["--loss-type", "bco", "--group-by", "label"], input, "--group-by: groups pairs, and these are rows"],
    ["nothing", ["--loss-type", "kto"], "", "stdin: no rows"],
  ])("%s", (_what, args, text, message) => {
    const { stderr, stdout, status } = run(["loss", "-", ...args], { input: text });
    expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
    expect(stderr).toContain(`error: ${message}`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

// What the command line makes of files as they come: encodings, packings, damage, null, missing fields, odd outputs.

import { spawnSync } from "node:child_process";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readJson } from "../src/cli/json-rows.ts";
import { type Presence, readPairs } from "../src/cli/read-pairs.ts";
import { needsOf } from "../src/plan/needs.ts";
import { planLosses } from "../src/plan/plan.ts";
import type { LossOptions } from "../src/types.ts";
import { dataPath, lines, loss, pair, root, run, write } from "./cli-run.ts";

interface Read {
  pairs: Record<string, number[]>;
  rows: number[];
  reference: Presence;
  rejected: Presence;
}

/** The pairs that the command line reads from bytes; each chunk comes alone, as from a pipe. */
async function read(content: string | Uint8Array, options: LossOptions = {}, chunk = 1 << 16): Promise<Read> {
  const bytes = Buffer.from(content);
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) =>
    bytes.subarray(i * chunk, (i + 1) * chunk),
  );
  const source = readJson("pairs.jsonl", Readable.from(chunks) as AsyncIterable<Buffer>);
  const reader = readPairs(source, { needs: needsOf(planLosses(options)), batchSize: Infinity, finite: false });
  const { reference, rejected } = reader;
  for await (const { pairs, rows } of reader.batches) {
    const copied = Object.entries(pairs).map(([name, values]) => [name, [...values]]);
    return { pairs: Object.fromEntries(copied) as Read["pairs"], rows: [...rows], reference, rejected };
  }
  return { pairs: {}, rows: [], reference, rejected };
}
const message = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof Error && "exitCode" in error ? error.message : `not a refusal: ${error}`),
  );

const policy = { policy_chosen_logps: -10, policy_rejected_logps: -20 };

describe("JSON lines", () => {
  it.each([
    [`{"prompt": "cell value: NaN", "policy_chosen_logps": NaN, "policy_rejected_logps": -20}`, [NaN, -20]],
    [
      `{"n": {"x": [NaN, {"y": -Infinity}]}, "policy_chosen_logps": Infinity, "policy_rejected_logps": -20}`,
      [Infinity, -20],
    ],
    [`{"policyChosen": -Infinity, "policyRejected": "NaN", "prompt": "\\": NaN, \\""}`, [-Infinity, NaN]],
    [`{"__proto__": {"policy_chosen_logps": 1}, "policy_chosen_logps": 2, "policy_rejected_logps": 3}`, [2, 3]],
    [`{"policy_chosen_logps": 1, "policy_chosen_logps": 2, "policy_rejected_logps": 3}`, [2, 3]],
  ])("%s", async (line, [chosen, rejected]) => {
    const { pairs } = await read(line, { referenceFree: true });
    expect([pairs["policyChosen"], pairs["policyRejected"]]).toEqual([[chosen], [rejected]]);
  });

  const text = lines(pair, "", { ...pair, prompt: "é 😀 ÿ" }, "  \t", pair);
  const utf16 = Buffer.from(`\ufeff${text}`, "utf16le");
  it.each([
    ["line feeds", text],
    ["carriage returns", text.replaceAll("\n", "\r\n")],
    ["a line feed at the end", `${text}\n`],
    ["a byte order mark", `\ufeff${text}`],
    ["a byte order mark and carriage returns", `\ufeff${text.replaceAll("\n", "\r\n")}\r\n`],
    ["byte order marks where files were put together", text.replaceAll("\n", "\n\ufeff")],
    ["UTF-16, little-endian", utf16],
    ["UTF-16, big-endian", Buffer.from(utf16).swap16()],
    ["gzip", gzipSync(text)],
    ["gzip of UTF-16", gzipSync(utf16)],
    ["gzip in two members", Buffer.concat([gzipSync(`${text.slice(0, 50)}`), gzipSync(text.slice(50))])],
    ["Zstandard", zstdCompressSync(text)],
  ])("with %s, in chunks of any size", async (_, content) => {
    for (const chunk of [1, 2, 7, 1 << 16]) {
      const { pairs, rows } = await read(content, {}, chunk);
      expect(pairs["policyChosen"]).toEqual([-10, -10, -10]);
      expect(rows).toEqual([1, 3, 5]);
    }
  });

  it.each([
    ["no JSON", lines(pair, '{"prompt": "secret'), "pairs.jsonl:2:19: not JSON: the text ends too early"],
    ["no JSON after a mark", `\ufeff  {"a" 1}\r\n`, 'pairs.jsonl:1:9: not JSON: expected ":"'],
    ["a comma too many", '{"a": NaN,}', "pairs.jsonl:1:11: not JSON: expected a key in double quotes"],
    ["a number alone", "NaN", "pairs.jsonl:1: expected an object, got NaN"],
    ["null alone", lines(pair, "null"), "pairs.jsonl:2: expected an object, got null"],
    ["text alone", '"secret"', "pairs.jsonl:1: expected an object, got a string"],
    ["a mark in the line", '{"a": 1\ufeff}', 'pairs.jsonl:1:8: not JSON: expected "," or "}"'],
    ["a space that JSON does not have", "\u00a0", "pairs.jsonl:1:1: not JSON: expected a value"],
    ["a long line", `{"prompt": "${"x".repeat(2 ** 26)}"}`, "pairs.jsonl:1: longer than 64 MiB"],
    ["bytes of Latin-1", Buffer.from(lines(pair, '{"é": "é"}'), "latin1"), "pairs.jsonl:2:3: not UTF-8"],
    ["a character cut off", Buffer.from(`${lines(pair)}\n{"é`).subarray(0, -1), "pairs.jsonl:2:3: not UTF-8"],
    ["half of UTF-16", utf16.subarray(0, -1), "pairs.jsonl: begins as UTF-16LE, but is not"],
    ["gzip cut off", gzipSync(text).subarray(0, -9), "pairs.jsonl: damaged or cut off: unexpected end of file"],
    ["gzip and more", Buffer.concat([gzipSync(text), Buffer.from("x")]), "pairs.jsonl: damaged or cut off"],
    ["Zstandard cut off", zstdCompressSync(text).subarray(0, -3), "pairs.jsonl: damaged or cut off"],
  ])("with %s are refused", async (_, content, expected) => {
    for (const chunk of [3, 1 << 16]) {
      if (content.length > 1e6 && chunk === 3) continue;
      expect(await message(read(content, {}, chunk))).toContain(expected);
    }
  });

  it("of 40 MB each are read", async () => {
    const long = { ...pair, prompt: "x".repeat(40e6) };
    expect((await read(lines(pair, long, pair))).rows).toEqual([1, 2, 3]);
  });

  it.each([
    ["nothing", ""],
    ["blank lines", "\n \r\n\t\n"],
    ["a mark", "\ufeff"],
    ["packed nothing", gzipSync("")],
  ])("that are %s hold no pairs", async (_, content) => {
    expect((await read(content)).rows).toEqual([]);
  });
});

describe("a JSON array", () => {
  const rows = [pair, { ...pair, policy_chosen_logps: Number.NaN, prompt: "é: NaN" }, pair];
  const compact = JSON.stringify(rows).replace("null", "NaN");
  const pretty = JSON.stringify(rows, null, 2).replace("null", "NaN");
  it.each([
    ["in one line", compact],
    ["in many lines", pretty],
    ["with carriage returns", pretty.replaceAll("\n", "\r\n")],
    ["after blank lines and a mark", `\ufeff \r\n\n${pretty}\n`],
    ["in gzip", gzipSync(pretty)],
    ["in UTF-16", Buffer.from(`\ufeff${pretty}`, "utf16le")],
    ["of 70 MB in one line", `[${JSON.stringify({ ...pair, prompt: "x".repeat(7e7) })},${compact.slice(1)}`],
  ])("%s is read", async (_, content) => {
    const { pairs } = await read(content);
    expect(pairs["policyChosen"]?.slice(-3)).toEqual([-10, NaN, -10]);
  });

  it.each([
    ["[]", "no error"],
    ["[", "pairs.jsonl:1:2: not JSON: the text ends too early"],
    [`[\n${JSON.stringify(pair)}\n{}]`, 'pairs.jsonl:3:1: not JSON: expected "," or "]"'],
    [`[${JSON.stringify(pair)}, 1]`, "pairs.jsonl: item 2: expected an object, got 1"],
    [`[${JSON.stringify(pair)}, {}]`, "pairs.jsonl: item 2: policy_chosen_logps: missing (needed by sigmoid)"],
    [`[]\n[]`, "pairs.jsonl:2:1: not JSON: expected the end after the value"],
  ])("%j: %s", async (content, expected) => {
    expect(await message(read(content))).toBe(expected);
  });
});

describe("null is absence", () => {
  const nulls = { ref_chosen_logps: null, ref_rejected_logps: null, chosen_length: null, rejected_length: null };
  const lengths = { chosen_length: 5, rejected_length: 4 };

  it.each<[string, object, LossOptions]>([
    ["no reference with referenceFree", { ...policy, ...nulls }, { referenceFree: true }],
    ["one reference with referenceFree", { ...policy, ref_chosen_logps: -1 }, { referenceFree: true }],
    ["lengths that no loss needs", { ...pair, chosen_length: null, rejected_length: null }, {}],
    ["one length that no loss needs", { ...pair, rejected_length: 4 }, {}],
    ["the rejected length for sft", { ...policy, ...nulls, chosen_length: 5 }, { lossType: "sft" }],
    [
      "the rejected length of another kind for sft",
      { ...policy, chosen_length: 5, rejected_length: "-" },
      { lossType: "sft" },
    ],
    ["rejected log-probs for sft", { policy_chosen_logps: -10, chosen_length: 5 }, { lossType: "sft" }],
    ["the rejected length for sigmoid and sft", { ...pair, chosen_length: 5 }, { lossType: ["sigmoid", "sft"] }],
    ["the prompt", { ...pair, prompt: null }, {}],
  ])("%s may be absent", async (_, row, options) => {
    expect((await read(lines({ ...policy, ...pair, ...lengths }, row), options)).rows).toEqual([1, 2]);
  });

  it.each<[string, object, LossOptions, string]>([
    ["ref_chosen_logps", { ...pair, ref_chosen_logps: null }, {}, "expected a number, got null"],
    ["ref_chosen_logps", policy, {}, "missing (needed by sigmoid)"],
    ["reference_chosen_logps", { ...policy, reference_chosen_logps: null }, {}, "expected a number, got null"],
    ["ref_chosen_logps", { ...policy, ...lengths }, { lossType: ["sft", "hinge"] }, "missing (needed by hinge)"],
    ["policy_rejected_logps", { policy_chosen_logps: 1 }, { lossType: "ipo" }, "missing (needed by ipo)"],
    ["chosen_length", { ...pair, chosen_length: null }, { lossType: "ipo" }, "expected a number, got null"],
    [
      "rejected_length",
      { ...pair, chosen_length: 1 },
      { lossType: "sigmoid_norm" },
      "missing (needed by sigmoid_norm)",
    ],
    ["chosen_length", policy, { lossType: "sft" }, "missing (needed by sft)"],
  ])("%s is named where it is needed", async (name, row, options, problem) => {
    expect(await message(read(lines({ ...pair, ...lengths }, row), options))).toBe(
      `pairs.jsonl:2: ${name}: ${problem}`,
    );
  });

  it("is filled row by row from older spellings", async () => {
    const rows = [
      { ...policy, ref_chosen_logps: null, reference_chosen_logps: -3, referenceRejected: -4 },
      { ...policy, ref_chosen_logps: -1, reference_chosen_logps: -3, ref_rejected_logps: -2 },
      {
        policyChosen: -5,
        policy_chosen_logps: null,
        policyRejected: -6,
        ref_chosen_logps: null,
        referenceChosen: -7,
        reference_rejected_logps: -8,
      },
    ];
    const { pairs } = await read(lines(...rows));
    expect(pairs["policyChosen"]).toEqual([-10, -10, -5]);
    expect(pairs["policyRejected"]).toEqual([-20, -20, -6]);
    expect(pairs["referenceChosen"]).toEqual([-3, -1, -7]);
    expect(pairs["referenceRejected"]).toEqual([-4, -2, -8]);
  });

  it("is counted where metrics would tell of it", async () => {
    const { reference, rejected } = await read(lines(pair, policy, { ...pair, ref_rejected_logps: null }), {
      referenceFree: true,
    });
    expect(reference).toEqual({ present: 1, absent: 2, firstAbsent: 2 });
    expect(rejected).toEqual({ present: 3, absent: 0, firstAbsent: 0 });
  });

  it("in a reference leaves rewards out where only some pairs have one", () => {
    const free = ["-", "--reference-free"];
    const some = loss(free, { input: lines(pair, policy) });
    expect(Object.keys(some.metrics)).toEqual(["logps/chosen", "logps/rejected"]);
    expect(some.notes).toEqual(["rewards: left out, since 1 pair has no reference, first stdin:2"]);
    const none = loss(free, { input: lines({ ...policy, ref_chosen_logps: null }) });
    expect(none.loss).toBeCloseTo(Math.log1p(Math.exp(-1)), 6);
    expect(none.metrics["rewards/margins"]).toBeCloseTo(1, 5);
    const sft = loss(["-", "--loss-type", "sft"], { input: lines({ policy_chosen_logps: -10, chosen_length: 5 }) });
    expect(sft.loss).toBeCloseTo(2, 6);
    expect(Object.keys(sft.metrics)).toEqual(["rewards/chosen", "logps/chosen"]);
  });
});

describe("output that cannot be written", () => {
  const shell = (command: string) => spawnSync("bash", ["-c", command], { cwd: root, encoding: "utf8" });
  const cli = `"${process.execPath}" --disable-warning=ExperimentalWarning src/cli/main.ts`;

  it.each([`loss ${dataPath}`, `loss ${dataPath} --json`, "--help", "doctor"])("%s to a full disk says so", (args) => {
    const { status, stderr } = shell(`${cli} ${args} > /dev/full`);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "error: standard output: no space left on device\n" });
  });

  it("to a closed pipe ends with the status of SIGPIPE, quietly", () => {
    const { stdout, stderr } = shell(`${cli} loss ${dataPath} | true; echo \${PIPESTATUS[0]}`);
    expect({ stdout, stderr }).toEqual({ stdout: "141\n", stderr: "" });
  });

  it("does not hide the status where errors cannot be written either", () => {
    expect(shell(`${cli} loss missing.jsonl 2> /dev/full`).status).toBe(2);
  });
});

describe("files that cannot be read", () => {
  it("are named", () => {
    const cut = write("cut.jsonl.gz", gzipSync(lines(pair, pair)).subarray(0, -4));
    for (const [path, problem] of [
      ["test", "is a directory"],
      ["package.json/x", "not a directory"],
      ["/dev/full", "longer than 64 MiB"],
      [cut, "damaged or cut off: unexpected end of file"],
    ] as const) {
      const { status, stderr, stdout } = run(["loss", path]);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toMatch(new RegExp(`^error: ${path}(:1)?: ${problem}\n$`));
    }
  });
});

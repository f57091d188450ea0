// From texts and messages to token lists: TRL 1.16's own, row for row, and the forms and oddities of data sets.

import { beforeAll, describe, expect, it, vi } from "vitest";
import { readPairs } from "../../examples/real-model/pairs.ts";
import { collate, collateRows, DpoError, KindError, ParamError } from "../../src/index.ts";
import {
  type PairRow,
  type TextTokenizer,
  type TextWarning,
  type TokenizedPair,
  type TokenizeOptions,
  tokenizePairs,
} from "../../src/text.ts";
import { chatTemplate, loadTokenizer, missing, readJson, readShared } from "./support.ts";

interface Golden {
  cases: { id: string; max_length: number; rows: PairRow[]; expected: TokenizedPair[] }[];
}
interface Runs {
  meta: { pairs: number[] };
  tokens: TokenizedPair[];
  runs: { id: string; config: { max_length: number }; kept: number[] | null }[];
}

/** A letter is an id; two a's are one, as pieces merge. A template in words. */
const letters: TextTokenizer = Object.assign(
  (text: string) => ({ input_ids: Array.from(text.replaceAll("aa", "ä"), (letter) => letter.codePointAt(0)) }),
  {
    ...{ eos_token: "$", eos_token_id: 36, chat_template: "words" },
    apply_chat_template: (
      messages: readonly { role: string; content?: unknown }[],
      options: Record<string, unknown>,
    ) => {
      if (messages.some(({ role }) => role === "nobody")) throw new Error("unknown role");
      const { tools, add_generation_prompt, ...more } = options;
      const names = ["thinking", "chat_template"].flatMap((name) =>
        more[name] === undefined ? [] : `{${more[name]}}`,
      );
      const shown = Array.isArray(tools) ? `[${tools.map((tool) => tool.name)}]` : "";
      const end = options["unended"] ? "" : "$";
      const said = messages.map(({ role, content }) => `${role[0]}:${content}${role === "assistant" ? end : ";"}`);
      return Array.from(`${shown}${names.join("")}${said.join("")}${add_generation_prompt ? "a:" : ""}`, (letter) =>
        letter.codePointAt(0),
      );
    },
  },
);

const textOf = (ids: readonly number[]): string => String.fromCodePoint(...ids);
const quiet = { onWarning: () => {} };

/** The parts of the only row, as texts. */
function parts(row: PairRow, options: TokenizeOptions = quiet): string[] {
  const [{ prompt_ids, chosen_ids, rejected_ids } = { prompt_ids: [], chosen_ids: [], rejected_ids: [] }] =
    tokenizePairs([row], letters, options);
  return [prompt_ids, chosen_ids, rejected_ids].map(textOf);
}

function warningsOf(rows: PairRow[], options: TokenizeOptions = {}): TextWarning[] {
  const warnings: TextWarning[] = [];
  tokenizePairs(rows, letters, { ...options, onWarning: (warning) => warnings.push(warning) });
  return warnings;
}

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

const turn = "\n\nAssistant:";

// As the data's README says: the prompt is what both dialogues begin with, up to the last turn of the assistant in it.
function asRow({ chosen, rejected }: { chosen: string; rejected: string }): PairRow {
  let common = 0;
  while (common < chosen.length && chosen[common] === rejected[common]) common++;
  const split = chosen.slice(0, common).lastIndexOf(turn) + turn.length;
  return { prompt: chosen.slice(0, split), chosen: chosen.slice(split), rejected: rejected.slice(split) };
}

describe.skipIf(missing !== "")(`TRL 1.16.0, through transformers.js${missing}`, () => {
  let tokenizer: TextTokenizer;
  beforeAll(async () => {
    tokenizer = await loadTokenizer();
  });
  const cases = missing === "" ? readJson<Golden>("golden/trl-1.16-tokens.json").cases : [];

  it.each(cases.map((one) => [one.id, one] as const))("trl-1.16-tokens.json, %s", (_id, golden) => {
    const options = { maxLength: golden.max_length, chatTemplate: chatTemplate(), ...quiet };
    expect(tokenizePairs(golden.rows, tokenizer, options)).toEqual(golden.expected);
  });

  // Whether they are equal, and no more: the texts are offensive.
  it("trl-1.16-runs.json: the tokens of real pairs, and which of them are dropped", () => {
    const { meta, tokens, runs } = readJson<Runs>("golden/trl-1.16-runs.json");
    const pairs = readPairs(readShared("data/hh-rlhf-harmless-base-test.jsonl.gz"));
    const rows = meta.pairs.map((line) => asRow(pairs[line] as (typeof pairs)[number]));
    for (const { id, config, kept } of runs) {
      const got = tokenizePairs(rows, tokenizer, { maxLength: config.max_length, ...quiet });
      const want = kept ? kept.map((i) => tokens[i]) : tokens;
      expect([id, got.length, JSON.stringify(got) === JSON.stringify(want)]).toEqual([id, want.length, true]);
    }
  });

  it("tools and variables reach the template, and a template of the tokenizer's own is used", () => {
    const template = `{% if tools %}{{ tools[0].name }}{% endif %}{{ mood }}{% for m in messages %}{{ m.content }}{% endfor %}`;
    const own = Object.assign(((text: string) => tokenizer(text, { return_tensor: false })) as TextTokenizer, {
      ...{ chat_template: template, eos_token: "</s>" },
      apply_chat_template: tokenizer.apply_chat_template?.bind(tokenizer),
    });
    const row = { prompt: [user(" a")], chosen: [assistant(" b")], rejected: [assistant(" c")] };
    const tools = JSON.stringify([{ name: " tool" }]);
    const [got] = tokenizePairs([{ ...row, tools, chat_template_kwargs: { mood: " sad" } }], own, {
      ...{ chatTemplate: template, ...quiet },
    });
    expect(got?.prompt_ids).toEqual(
      tokenizePairs([{ prompt: " tool sad a", chosen: " b", rejected: " c" }], own, quiet)[0]?.prompt_ids,
    );
  });
});

describe("texts", () => {
  it("end with the end token, once", () => {
    expect(parts({ prompt: "q", chosen: "x", rejected: "y$" })).toEqual(["q", "x$", "y$"]);
    expect(parts({ prompt: "q", chosen: "", rejected: "y" }, { eosToken: "#", ...quiet })).toEqual(["q", "#", "y#"]);
    expect(parts({ prompt: "q", chosen: "x", rejected: "y" }, { eosToken: null, ...quiet })).toEqual(["q", "x", "y"]);
  });

  it("tokens that merge across the boundary belong to both completions", () => {
    expect(parts({ prompt: "qa", chosen: "ax", rejected: "by" })).toEqual(["q", "äx$", "aby$"]);
    expect(parts({ prompt: "aa", chosen: "x", rejected: "y" })).toEqual(["ä", "x$", "y$"]);
  });

  it.each([
    ["the common beginning", "Say hi", "Say ho", ["Say h", "i$", "o$"]],
    ["less one space at its end", "it is red", "it is blue", ["it is", " red$", " blue$"]],
    ["of two spaces one", "it  is", "it  be", ["it ", " is$", " be$"]],
    ["nothing in common", "red ", "blue", ["", "red $", "blue$"]],
    ["one begins the other: its last character is left to both", "red", "redder", ["re", "d$", "dder$"]],
    ["the same twice", "red", "red", ["re", "d$", "d$"]],
    ["a space before the last character of the shorter stays", "a b", "a bc", ["a ", "b$", "bc$"]],
    ["emoji of one half in common are not cut", "hi 🙂", "hi 🙃", ["hi", " 🙂$", " 🙃$"]],
    ["an emoji at the end of the shorter", "a🙂", "a🙂b", ["a", "🙂$", "🙂b$"]],
    ["an empty one", "", "x", ["", "$", "x$"]],
  ])("without a prompt: %s", (_name, chosen, rejected, want) => {
    expect(parts({ chosen, rejected })).toEqual(want);
    expect(parts({ prompt: undefined, chosen, rejected })).toEqual(want);
    expect(parts({ prompt: null, chosen, rejected })).toEqual(want);
  });

  it("a function from texts to lists of ids will do for a tokenizer", () => {
    const plain = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
    const [got] = tokenizePairs([{ prompt: "q", chosen: "x", rejected: "y" }], plain, { eosToken: "!" });
    expect(got).toEqual({ prompt_ids: [113], chosen_ids: [120, 33], rejected_ids: [121, 33] });
  });
});

describe("messages", () => {
  it("the prompt alone ends where the template begins an answer; nothing is appended", () => {
    const row = { prompt: [user("q")], chosen: [assistant("x")], rejected: [assistant("y")] };
    expect(parts(row)).toEqual(["u:q;a:", "x$", "y$"]);
    const system = [{ role: "system", content: "be kind" }, user("q"), assistant("so"), user("why")];
    expect(parts({ ...row, prompt: system })).toEqual(["s:be kind;u:q;a:so$u:why;a:", "x$", "y$"]);
  });

  it("whole conversations: what they have in common is the prompt", () => {
    const row = { chosen: [user("q"), assistant("x")], rejected: [user("q"), assistant("y"), user("z")] };
    expect(parts(row)).toEqual(["u:q;a:", "x$", "y$u:z;"]);
    // A field that is null is one that is missing, as columns of nested data have it.
    const withNull = { chosen: [{ ...user("q"), name: null }, assistant("x")], rejected: [user("q"), assistant("y")] };
    expect(parts(withNull)).toEqual(["u:q;a:", "x$", "y$"]);
    const same = { chosen: [user("q"), assistant("x")], rejected: [user("q"), assistant("x")] };
    expect(parts(same)).toEqual(["u:q;a:", "x$", "x$"]);
    // Contents in parts are compared whole.
    const parted = (text: string) => [{ role: "user", content: [{ type: "text", text }] }, assistant("x")];
    expect(parts({ chosen: parted("q"), rejected: parted("p") })[0]).toBe("");
  });

  it("a text as prompt beside conversations that begin with it is what they have in common", () => {
    const row = { prompt: "q", chosen: [user("q"), assistant("x")], rejected: [user("q"), assistant("y")] };
    expect(parts(row)).toEqual(["u:q;a:", "x$", "y$"]);
    expect(() => parts({ ...row, prompt: "p" })).toThrow(
      "rows[0].prompt: expected messages, as rows[0].chosen, got a text",
    );
  });

  it("tools and variables: the row's before the options'", () => {
    const row = { prompt: [user("q")], chosen: [assistant("x")], rejected: [assistant("y")] };
    const options = { tools: [{ name: "sum" }], chatTemplateKwargs: { thinking: "on" }, ...quiet };
    expect(parts(row, options)[0]).toBe("[sum]{on}u:q;a:");
    const own = { ...row, tools: [{ name: "add" }], chat_template_kwargs: { thinking: "off" } };
    expect(parts(own, options)[0]).toBe("[add]{off}u:q;a:");
    expect(parts({ ...own, tools: '[{ "name": "mul" }]' }, quiet)[0]).toBe("[mul]{off}u:q;a:");
    expect(parts({ ...row, tools: null, chat_template_kwargs: null }, quiet)[0]).toBe("u:q;a:");
    expect(parts(row, { chatTemplate: "T", ...quiet })[0]).toBe("{T}u:q;a:");
  });
});

describe("one completion and a label", () => {
  it("of texts and of messages", () => {
    const texts = [
      { prompt: "q", completion: "x", label: true },
      { prompt: "q", completion: "y", label: 0 },
    ];
    expect(tokenizePairs(texts, letters)).toEqual([
      { prompt_ids: [113], completion_ids: [120, 36], label: true },
      { prompt_ids: [113], completion_ids: [121, 36], label: false },
    ]);
    const [got] = tokenizePairs([{ prompt: [user("q")], completion: [assistant("x")], label: false }], letters);
    expect(got && textOf(got.prompt_ids) + textOf(got.completion_ids)).toBe("u:q;a:x$");
  });
});

describe("warnings: one for each kind, with a count", () => {
  it("rows whose prompt fills maxLength are dropped, unless their end is kept", () => {
    const rows = ["qqqq", "q", "qqqqq", "qqq"].map((prompt) => ({ prompt, chosen: "x", rejected: "y" }));
    expect(warningsOf(rows, { maxLength: 4 })).toMatchObject([{ kind: "dropped", count: 2, rows: [0, 2] }]);
    expect(tokenizePairs(rows, letters, { maxLength: 4, ...quiet }).map(({ prompt_ids }) => prompt_ids.length)).toEqual(
      [1, 3],
    );
    expect(warningsOf(rows, { maxLength: 4, truncationMode: "keep_end" })).toEqual([]);
  });

  it("the boundary, empty completions, the same ones, ends that are missing", () => {
    const row = { prompt: "qa", chosen: "ax", rejected: "y" };
    const rows = [row, { ...row, chosen: "x" }, row, row, row];
    const [boundary] = warningsOf(rows);
    expect(boundary).toMatchObject({ kind: "boundary", count: 4, rows: [0, 2, 3, 4] });
    expect(boundary?.message).toMatch(/^boundary: in 4 of 5 rows \(0, 2, 3, …\) the prompt's tokens/);
    const empty = { prompt: "q", chosen: "", rejected: "" };
    expect(warningsOf([empty], { eosToken: null }).map(({ kind }) => kind)).toEqual(["empty", "same"]);
    const messages = { prompt: [user("q")], chosen: [assistant("x")], rejected: [assistant("y")] };
    const unended = { ...messages, chat_template_kwargs: { unended: true } };
    expect(warningsOf([messages, unended])).toMatchObject([{ kind: "unended", rows: [1] }]);
  });

  it("go to the console where nobody else wants them", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    tokenizePairs([{ prompt: "qa", chosen: "ax", rejected: "y" }], letters);
    expect(warn.mock.calls.join()).toMatch(/^dpo-kernels: boundary: in 1 of 1 rows \(0\)/);
    warn.mockRestore();
  });
});

it("collate takes the lists, and collateRows those of single completions", () => {
  const rows = collateRows(tokenizePairs([{ prompt: "q", completion: "x", label: true }], letters));
  expect([...rows.inputIds]).toEqual([113, 120, 36]);
  const batch = collate(tokenizePairs([{ prompt: "q", chosen: "xx", rejected: "y" }], letters));
  expect([...batch.inputIds]).toEqual([113, 120, 120, 36, 113, 121, 36, 0]);
});

describe("refusals", () => {
  const row = { prompt: "q", chosen: "x", rejected: "y" };
  const messages = { prompt: [user("q")], chosen: [assistant("x")], rejected: [assistant("y")] };
  const none = Object.assign((text: string) => [text.length], { eos_token: null });
  it.each<[unknown, unknown, unknown, typeof KindError | typeof ParamError, string]>([
    [7, letters, {}, KindError, "rows: expected a list of rows, got a number"],
    ["rows", letters, {}, KindError, "rows: expected a list of rows, got a string"],
    [[7], letters, {}, KindError, "rows[0]: expected an object with texts or messages, got a number"],
    [
      [{ text: "x" }],
      letters,
      {},
      ParamError,
      "rows[0]: expected chosen and rejected, or completion and label, got text",
    ],
    [
      [{ prompt: "q", chosen: "x" }],
      letters,
      {},
      KindError,
      "rows[0].rejected: expected a text or a list of messages, got undefined",
    ],
    [
      [row, { ...row, chosen: 7 }],
      letters,
      {},
      KindError,
      "rows[1].chosen: expected a text or a list of messages, got a number",
    ],
    [
      [row, { chosen: "x", rejected: "y" }],
      letters,
      {},
      KindError,
      "rows[1].prompt: expected a text or a list of messages, got undefined",
    ],
    [
      [{ chosen: "x", rejected: "y" }, row],
      letters,
      {},
      ParamError,
      "rows[1].prompt: expected none, as in the first row, got one",
    ],
    [
      [{ ...row, rejected: [assistant("y")] }],
      letters,
      {},
      KindError,
      "rows[0].rejected: expected a text, as rows[0].chosen, got messages",
    ],
    [
      [{ ...messages, chosen: ["x"] }],
      letters,
      {},
      KindError,
      "rows[0].chosen[0]: expected a message with a role and a content, got a string",
    ],
    [
      [{ ...messages, chosen: [{ from: "gpt" }] }],
      letters,
      {},
      KindError,
      "rows[0].chosen[0]: expected a message with a role and a content, got role undefined",
    ],
    [
      [{ ...row, images: ["i"] }],
      letters,
      {},
      ParamError,
      "rows[0].images: expected texts or messages alone, got images",
    ],
    [
      [{ completion: "x", label: true }],
      letters,
      {},
      ParamError,
      "rows[0].prompt: expected with completion, got undefined",
    ],
    [
      [{ prompt: "q", completion: "x", label: "good" }],
      letters,
      {},
      KindError,
      'rows[0].label: expected true or false, got "good"',
    ],
    [
      [{ ...messages, tools: "{" }],
      letters,
      {},
      KindError,
      "rows[0].tools: expected a list, or the JSON of one, got a text that is no JSON",
    ],
    [
      [{ ...messages, tools: 7 }],
      letters,
      {},
      KindError,
      "rows[0].tools: expected a list, or the JSON of one, got a number",
    ],
    [
      [{ ...messages, chat_template_kwargs: "x" }],
      letters,
      {},
      KindError,
      "rows[0].chat_template_kwargs: expected an object, got a string",
    ],
    [
      [{ ...messages, chat_template_kwargs: { tokenize: false } }],
      letters,
      {},
      ParamError,
      "rows[0].chat_template_kwargs.tokenize: expected none, got one",
    ],
    [
      [{ ...messages, prompt: [{ role: "nobody", content: "" }] }],
      letters,
      {},
      ParamError,
      "rows[0]: the tokenizer refuses it: unknown role",
    ],
    [[messages], none, {}, ParamError, "chatTemplate: expected for messages (rows[0])"],
    [[row], none, {}, ParamError, "eosToken: expected the text of the end token, or null for none"],
    [
      [row],
      (text: string) => text,
      { eosToken: null },
      KindError,
      "tokenizer: expected a list of token ids (rows[0]), got a string",
    ],
    [[row], {}, {}, KindError, "tokenizer: expected one of transformers.js, or a function, got an object"],
    [[row], letters, { maxLength: 0 }, ParamError, "maxLength: expected an integer of at least 1, got 0"],
    [[row], letters, { maxLength: "9" }, KindError, "maxLength: expected an integer, got a string"],
    [
      [row],
      letters,
      { truncationMode: "end" },
      ParamError,
      'truncationMode: expected "keep_start" or "keep_end", got "end"',
    ],
    [[row], letters, { max_length: 9 }, ParamError, "max_length"],
    [[row], letters, { onWarning: 7 }, KindError, "onWarning: expected a function, got a number"],
  ])("%j", (rows, tokenizer, options, kind, message) => {
    const call = () => tokenizePairs(rows as PairRow[], tokenizer as TextTokenizer, options as TokenizeOptions);
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
    expect(call).toThrow(DpoError);
  });
});

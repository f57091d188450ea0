// fromTrl: docs/from-trl.md says what the code does.

import { describe, expect, it } from "vitest";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { formerKeys, knownKeys, readKeys } from "../src/from-trl/keys.ts";
import { text } from "./support/from-trl.ts";

describe("docs/from-trl.md", () => {
  const page = text("../docs/from-trl.md");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| |\s*\|$/g, "")));
  const codes = (cell: string | undefined): string[] =>
    [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "");

  it("lists the keys that fromTrl knows, each once", () => {
    const listed = rows.flatMap(([keys]) => codes(keys));
    expect([...listed].sort()).toStrictEqual([...knownKeys].sort());
  });

  it("says what becomes of each", () => {
    const samples: Record<string, unknown> = {
      loss_type: "discopop",
      loss_weights: [2],
      label_smoothing: 0.1,
      f_divergence_type: "js_divergence",
      truncation_mode: "keep_end",
      use_weighting: true,
      reference_free: true,
      optim: "adamw_torch",
      optim_args: "",
      lr_scheduler_type: "cosine",
      lr_scheduler_kwargs: {},
      dataloader_drop_last: true,
    };
    const company: Record<string, TrlConfig> = {
      discopop_tau: { loss_type: "discopop" },
      simpo_gamma: { loss_type: "simpo" },
      f_alpha_divergence_coef: { f_divergence_type: "alpha_divergence" },
    };
    const readable = [...Object.keys(readKeys), ...Object.values(formerKeys)];
    for (const [keys, becomes] of rows) {
      for (const key of codes(keys).filter((code) => readable.includes(code) && code !== "rpo_alpha")) {
        const value = key in samples ? samples[key] : /length|size|steps|seed|multiple|padding/.test(key) ? 3 : 0.25;
        const { loss, collate, train } = fromTrl({ ...company[key], [key]: value });
        const names = codes(becomes).map((code) => code.replace(/:.*/, ""));
        // Several keys in one row become as many names.
        const name = names[codes(keys).length === 2 && names.length > 1 ? codes(keys).indexOf(key) : 0] ?? "";
        expect({ key, [name]: true }).toStrictEqual({ key, [name]: name in { ...loss, ...collate, ...train } });
      }
    }
  });

  it("shows an example that is true", () => {
    const example = /fromTrl\((\{[^}]+\})\)/.exec(page)?.[1] ?? "";
    const config = JSON.parse(example.replace(/(\w+):/g, '"$1":').replace(/,\s*\}/, "}"));
    const { loss, collate, train, warnings } = fromTrl(config);
    const shown = (name: string): string => new RegExp(`^// ${name} +(.*)$`, "m").exec(page)?.[1] ?? "";
    const asText = (value: object): string =>
      JSON.stringify(value)
        .replace(/"(\w+)":/g, "$1: ")
        .replaceAll(",", ", ");
    const spaced = (value: object): string => asText(value).replace(/^\{/, "{ ").replace(/\}$/, " }");
    expect([loss, collate, train].map(spaced)).toStrictEqual(["loss", "collate", "train"].map(shown));
    expect(warnings).toHaveLength(1);
    expect(shown("warnings")).toContain(warnings[0]?.slice(0, 60));
  });
});

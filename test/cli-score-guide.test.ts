// docs/score.md: every command as it stands there, from a folder with the models that it names, and the picture.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { drawScored, picture } from "../scripts/score-picture.ts";
import { folder, root } from "./cli-run.ts";
import { missing, modelFolder, tunedFolder } from "./text/support.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const guide = readFileSync(join(root, "docs/score.md"), "utf8");
const commands = [...guide.matchAll(/```console\n\$ npx dpo-kernels (.*)\n([\s\S]*?)```/g)];
const committed = readFileSync(join(root, "examples/score/scored.jsonl"), "utf8");

/** Words, numbers apart, which a processor may round otherwise; without how long it took. */
function words(text: string): { words: string[]; numbers: number[] } {
  const parts = text.replace(/ in [\d.]+ s .*/g, "").split(/(-?\d+(?:\.\d+)?(?:e-?\d+)?)/);
  return { words: parts.filter((_, i) => i % 2 === 0), numbers: parts.filter((_, i) => i % 2 === 1).map(Number) };
}

describe("docs/score.md", () => {
  it("shows the picture of the file that is kept, and a row of its data", () => {
    expect(readFileSync(picture, "utf8")).toBe(drawScored(committed));
    const [, row = ""] = /```json\n(.*)\n```/.exec(guide) ?? [];
    expect(readFileSync(join(root, "examples/score/pairs.jsonl"), "utf8").split("\n")[0]).toBe(row);
  });

  describe.skipIf(missing !== "")(`its commands${missing}`, () => {
    beforeAll(() => {
      mkdirSync(join(folder, "examples"));
      cpSync(join(root, "examples/score"), join(folder, "examples/score"), { recursive: true });
      tunedFolder(join(folder, "my-model"));
      symlinkSync(modelFolder(), join(folder, "its-base"), "junction");
    });

    it("are two", () => expect(commands.length).toBe(2));

    it.each(commands.map(([, command = "", printed = ""]) => [command, printed]))("%s", (command, printed) => {
      const args = ["--disable-warning=ExperimentalWarning", join(root, "src/cli/main.ts"), ...command.split(" ")];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const [got, shown] = [words(stdout), words(printed)];
      // Bars may be a step higher or lower.
      const bars = (text: string): string => text.replace(/▕.*▏/, "").replace(/ +/g, " ");
      expect(bars(got.words.join(""))).toBe(bars(shown.words.join("")));
      for (const [i, number] of shown.numbers.entries()) {
        expect(Math.abs((got.numbers[i] as number) - number)).toBeLessThan(2e-3 * (1 + Math.abs(number)));
      }
    });

    it("write the file that is kept", () => {
      const rows = readFileSync(join(folder, "scored.jsonl"), "utf8").trim().split("\n");
      const kept = committed.trim().split("\n");
      expect(rows.length).toBe(kept.length);
      for (const [i, line] of kept.entries()) {
        const [row, before] = [JSON.parse(rows[i] as string), JSON.parse(line)];
        expect(Object.keys(row)).toEqual(Object.keys(before));
        for (const [name, value] of Object.entries(before)) {
          if (typeof value === "number") expect(Math.abs(row[name] - value)).toBeLessThan(2e-3);
          else expect(row[name]).toBe(value);
        }
      }
    });
  });
});

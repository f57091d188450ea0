// Every package whose code lies in dist/ has its licence text there. What the source maps name is the witness here, the
// bundler's own list of modules is what the file was written from.

import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, "utf8");
const licences = read("dist/THIRD_PARTY_LICENSES");

const sources = globSync("dist/*.js.map", { cwd: root }).flatMap((map): string[] => JSON.parse(read(map)).sources);
const bundled = new Set(
  sources.flatMap((path) => /node_modules\/(?:@[^/]+\/)?[^/]+(?=\/(?!node_modules))/.exec(path)?.[0] ?? []),
);

test("source maps name what is bundled", () => {
  const names = ["comlink", "commander", "cli-progress", "hyparquet", "table", "yaml"];
  expect([...bundled]).toEqual(expect.arrayContaining(names.map((name) => `node_modules/${name}`)));
});

// The kernels carry code of AssemblyScript's standard library.
test.each([...bundled, "node_modules/assemblyscript"].sort())("%s", (folder) => {
  const { name, version } = JSON.parse(read(`${folder}/package.json`));
  expect(licences).toContain(`${name}@${version} (`);
  const [file] = globSync("{LICENSE,LICENCE,license,licence,COPYING}*", { cwd: `${root}${folder}` });
  const text = read(`${folder}/${file}`).replaceAll("\r\n", "\n").trim();
  expect(text.length).toBeGreaterThan(500);
  expect(licences).toContain(text);
});

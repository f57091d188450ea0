// Licence texts of what the bundler puts into dist/, written beside it: a bundle carries other people's code, and their terms
// ask that their text comes along.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "rolldown";

const FILE = "dist/THIRD_PARTY_LICENSES";

// The kernels' modules have code of AssemblyScript's standard library in them, which no bundler sees.
const compiledIn = ["node_modules/assemblyscript"];

/** The folder of the package that a module is of; the innermost one, where packages bring their own copies of others. */
const packageFolder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/;

/** A plugin for all bundles of one build: each adds its packages, and the last one leaves the whole list. */
export function thirdPartyLicences(): Plugin {
  const folders = new Set(compiledIn);
  return {
    name: "third-party-licences",
    writeBundle(_options, bundle) {
      for (const output of Object.values(bundle)) {
        const modules = output.type === "chunk" ? output.moduleIds : [];
        for (const id of modules) {
          const [folder] = packageFolder.exec(id.replaceAll("\\", "/")) ?? [];
          if (folder) folders.add(folder);
        }
      }
      mkdirSync(dirname(FILE), { recursive: true });
      writeFileSync(
        FILE,
        [...folders]
          .map(section)
          .sort()
          .join(`\n${"-".repeat(80)}\n\n`),
      );
    },
  };
}

function section(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
  if (texts.length === 0) throw new Error(`${name}@${version}: has no licence text that could ship with its code`);
  return `${name}@${version} (${license})\n\n${texts.join("\n\n")}\n`;
}

// What `npm ci` installs: the same bytes everywhere, and nothing that stands in for the tools of the machine.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

interface Entry {
  version?: string;
  integrity?: string;
  link?: boolean;
  bin?: Record<string, string>;
  hasInstallScript?: boolean;
}

describe.each(["package-lock.json", "bench/package-lock.json", "test/runtimes/tools/package-lock.json"])(
  "%s",
  (file) => {
    const packages = Object.entries<Entry>(JSON.parse(read(file)).packages).filter(([path]) => path !== "");

    test("names no registry", () => {
      expect(read(file)).not.toMatch(/"resolved"|https?:\/\/[^"]*registry/);
    });

    test("every package has its integrity, those of other platforms too", () => {
      const without = packages.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
      expect(without.map(([path]) => path)).toEqual([]);
    });

    test("no package is npm, or puts a program of that name on the path of scripts", () => {
      const standIns = packages.filter(
        ([path, { bin }]) => path.endsWith("node_modules/npm") || ["npm", "npx"].some((name) => name in (bin ?? {})),
      );
      expect(standIns.map(([path]) => path)).toEqual([]);
    });
  },
);

// An install script may fetch what no lock file has seen.
test.each(["", "bench/"])(
  "%spackage-lock.json: whoever adds an install script has looked at what it does",
  (folder) => {
    // msgpackr-extract is optional to msgpackr: it loads its prebuilt addon, and compiles its own source where that fails.
    const harmless = ["node", "bun", "deno", "protobufjs", "webgpu", "msgpackr-extract"];
    const entries = Object.entries<Entry>(JSON.parse(read(`${folder}package-lock.json`)).packages);
    const names = entries.flatMap(([path, { hasInstallScript }]) =>
      hasInstallScript ? [path.replace(/^.*node_modules\//, "")] : [],
    );
    const others = names.filter((name) => !harmless.includes(name));
    expect(others).toEqual(["onnxruntime-node"]);
    expect(read(`${folder}.npmrc`)).toMatch(/^onnxruntime-node-install=skip$/m);
  },
);

test("no npm is installed beside the tools", () => {
  const programs = readdirSync(new URL("../node_modules/.bin/", import.meta.url));
  expect(programs.filter((name) => /^np[mx](\.|$)/.test(name))).toEqual([]);
});

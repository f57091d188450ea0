// The common tests as modules for engines that have a `navigator.gpu` of their own.

import { copyFileSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "vite";
import { root } from "../support/processes.ts";

/** What a bundle is made for: a page, or Deno, which has Node's own modules. */
export type Target = "page" | "deno";

/**
 * The common tests: whatever of test/ runs on every backend. Left out are real-model.test.ts, whose model does not come with a
 * clone, the slow ones, by their folder the adapters, whose frameworks bring engines of their own, and what hands in hostile values:
 * what a page has of node:vm is not enough for arrays that lie about themselves.
 */
export const files: readonly string[] = globSync("test/*.test.ts", { cwd: root })
  .map((path) => ({ name: basename(path, ".test.ts"), text: readFileSync(join(root, path), "utf8") }))
  .filter(
    ({ name, text }) =>
      text.includes("onEachBackend(") && !text.includes("./support/fuzz") && !/^real-model|^slow-/.test(name),
  )
  .map(({ name }) => name);

const here = (file: string): string => join(root, "test/runtimes/common", file);

/** Writes them to a folder of build/; returns its path. */
export async function bundle(target: Target): Promise<string> {
  const outDir = `build/common-${target}`;
  const tests = files.map((name) => [name, join(root, `test/${name}.test.ts`)]);
  const isPage = target === "page";
  await build({
    configFile: false,
    root,
    logLevel: "error",
    base: "./",
    define: { "process.env": "{}" },
    resolve: {
      alias: [
        { find: /.*\/candidates\.ts$/, replacement: here("candidates.ts") },
        ...(isPage ? [{ find: /^node:(fs|vm)$/, replacement: here("node-in-page.ts") }] : []),
      ],
    },
    build: {
      outDir,
      emptyOutDir: true,
      // In Deno a file is read from disk.
      assetsInlineLimit: 0,
      minify: false,
      target: "esnext",
      modulePreload: false,
      rollupOptions: {
        input: { ...Object.fromEntries(tests), [target]: here(`${target}.ts`) },
        external: isPage ? [] : [/^node:/],
        preserveEntrySignatures: "strict",
        output: { entryFileNames: "[name].js" },
      },
    },
  });
  if (isPage) copyFileSync(here("page.html"), join(root, outDir, "page.html"));
  return outDir;
}

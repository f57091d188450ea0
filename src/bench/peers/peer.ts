// What the peers have in common: how they get at their library, and how a table of what it can do becomes a candidate.

import type { Inputs } from "../inputs.ts";
import type { Candidate, Opened, Skipped } from "../types.ts";

/** Where a benchmark finds the peers' libraries. They are imported by name when it runs: none is a dependency, none is bundled. */
export interface Libraries {
  load(name: string): Promise<unknown>;
  /** Address of the module of that name; its folder has the library's other files. */
  resolve(name: string): string;
}

/** As seen from this package; in a page, what its import map says. */
export const found: Libraries = {
  load: (name) => import(/* @vite-ignore */ name),
  resolve: (name) => import.meta.resolve(name),
};

/** By the addresses of their modules, for libraries that lie elsewhere; the rest by name. */
export const librariesAt = (addresses: Readonly<Record<string, string>>): Libraries => ({
  load: (name) => found.load(addresses[name] ?? name),
  resolve: (name) => addresses[name] ?? found.resolve(name),
});

/** A library as candidates for all cases, or why it has none here. */
export type Peer = (libraries: Libraries) => Promise<Candidate | Skipped>;

export type Results = Readonly<Record<string, ArrayLike<number> | number>>;

/** By the kind of inputs; undefined where the library has no form of such work. */
export type Forms = {
  readonly [K in Inputs["kind"]]?: (
    inputs: Extract<Inputs, { kind: K }>,
  ) => Promise<Opened | undefined> | Opened | undefined;
};

/** Cases of the pool are for what shares work out: peers have one thread. */
export function candidate(peer: Omit<Candidate, "ours" | "open">, forms: Forms): Candidate {
  return {
    ...peer,
    ours: false,
    async open({ group }, { inputs }) {
      if (group === "pool") return undefined;
      const form = forms[inputs.kind] as ((inputs: Inputs) => ReturnType<NonNullable<Forms["pairs"]>>) | undefined;
      return form?.(inputs);
    },
  };
}

/**
 * Work without memory: results are what a run gave, or those of one more, so that nothing is held between runs. Otherwise the arrays that
 * a library hands over, 100 MB in some cases, would all be there while the others are timed.
 */
export const repeatable = (run: () => Results | Promise<Results>, close?: () => void | Promise<void>): Opened => ({
  run,
  results: (gave) => (gave as Results | undefined) ?? run(),
  ...(close && { close }),
});

/** The library's own words, on one line. */
export const skipped = (name: string, why: unknown): Skipped => ({
  candidate: name,
  why: (why instanceof Error ? why.message : String(why)).split("\n", 1)[0] ?? "",
});

/** Imports the named libraries, and says what to install where one is missing. */
export async function loadAll({ load }: Libraries, names: readonly string[]): Promise<unknown[]> {
  const modules: unknown[] = [];
  for (const name of names) {
    try {
      modules.push(await load(name));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const isMissing =
        /cannot find (package|module)|could not resolve|failed to resolve|bare specifier|does not resolve|not in import map/i.test(
          why,
        );
      throw new Error(isMissing ? `npm install ${names.join(" ")}` : `${name}: ${why}`, { cause });
    }
  }
  return modules;
}

/** Its package.json lies above the folder of its module; undefined where the runtime cannot import that. */
export async function versionOf({ resolve }: Libraries, name: string): Promise<string | undefined> {
  try {
    const address = new URL("../package.json", resolve(name)).href;
    const { default: manifest } = await import(/* @vite-ignore */ address, { with: { type: "json" } });
    return manifest.version;
  } catch {
    return undefined;
  }
}

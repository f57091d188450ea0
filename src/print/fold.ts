// The one fold over expressions. A target is a table: how each kind of expression is written in its language.

import type { Expression, Fn, Kind, OfKind } from "./expression.ts";

export type Write = (node: Expression) => string;

export type Target = {
  readonly [K in Kind]: (node: OfKind<K>, write: Write) => string;
};

/**
 * `use` writes an expression where it is used: by its name if `nameOf` has one. `define` writes what that name stands for.
 */
export function printer(
  target: Target,
  nameOf: (node: Expression) => string | undefined,
): { use: Write; define: Write } {
  const define: Write = (node) => (target[node.kind] as (node: Expression, write: Write) => string)(node, use);
  const use: Write = (node) => nameOf(node) ?? define(node);
  return { use, define };
}

/** What a language calls the functions. */
export type KernelFunctions = Readonly<Record<Fn, string>>;

/** What the languages of kernels share. */
export const leavesAndCalls = (functions: KernelFunctions): Pick<Target, "param" | "input" | "call"> => ({
  param: ({ name }) => name,
  input: ({ name }) => name,
  call: ({ fn, args }, write) => `${functions[fn]}(${args.map(write).join(", ")})`,
});

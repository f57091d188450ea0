// Random functions of the language of definitions, as trees that can be written as text and evaluated with a bound on the
// error that float64 arithmetic makes in any order that a printer may choose.

import fc from "fast-check";
import { logsigmoid, sigmoid, softplus } from "../../src/losses/math.ts";

export type Tree =
  | { kind: "leaf"; text: string }
  | { kind: "neg"; args: [Tree] }
  | { kind: "op"; op: "+" | "-" | "*" | "/"; args: [Tree, Tree] }
  | { kind: "call"; fn: keyof typeof functions; args: Tree[] }
  | { kind: "choice"; op: ">" | ">=" | "<" | "<=" | "==="; args: [Tree, Tree, Tree, Tree] };

/** A function of a, c, beta, tau: consts x0, x1, …, each of what is before it, and three results. */
export interface Program {
  consts: Tree[];
  results: [Tree, Tree, Tree];
}

/** A number and how far from it a rounded computation may lie. */
export type Bounded = readonly [value: number, error: number];

// Twice the rounding of float64, since x / β may be x · (1 / β).
const ROUNDING = 2 ** -52;
const rounded = (value: number, error: number): Bounded => [value, error + ROUNDING * Math.abs(value)];

/** That an error may turn a comparison or reach a divisor of zero: the property has nothing to say. */
export class Undecided extends Error {}

/** The error through a function that grows no faster than `slope` within the error of its argument. */
const through =
  (f: (x: number) => number, slope: (x: number) => number) =>
  ([[x, error] = [0, 0]]: Bounded[]): Bounded =>
    rounded(f(x), 8 * ROUNDING * Math.abs(f(x)) + error * slope(Math.abs(x) + error));

const functions = {
  "Math.abs": ([[x, error] = [0, 0]]: Bounded[]): Bounded => [Math.abs(x), error],
  "Math.max": ([[x, e] = [0, 0], [y, f] = [0, 0]]: Bounded[]): Bounded => [Math.max(x, y), Math.max(e, f)],
  "Math.min": ([[x, e] = [0, 0], [y, f] = [0, 0]]: Bounded[]): Bounded => [Math.min(x, y), Math.max(e, f)],
  "Math.exp": through(Math.exp, Math.exp),
  "Math.expm1": through(Math.expm1, Math.exp),
  sigmoid: through(sigmoid, () => 1),
  softplus: through(softplus, () => 1),
  logsigmoid: through(logsigmoid, () => 1),
};

export function evaluate(tree: Tree, values: ReadonlyMap<string, Bounded>): Bounded {
  if (tree.kind === "leaf") return values.get(tree.text) ?? [Number(tree.text), 0];
  if (tree.kind === "choice") {
    const [left, right, then, otherwise] = tree.args;
    const [x, e] = evaluate(left, values);
    const [y, f] = evaluate(right, values);
    if (Math.abs(x - y) <= e + f && e + f > 0) throw new Undecided();
    const holds = { ">": x > y, ">=": x >= y, "<": x < y, "<=": x <= y, "===": x === y }[tree.op];
    return evaluate(holds ? then : otherwise, values);
  }
  const args: Bounded[] = tree.args.map((arg: Tree) => evaluate(arg, values));
  const [[x, e] = [0, 0], [y, f] = [0, 0]] = args;
  if (tree.kind === "neg") return [-x, e];
  if (tree.kind === "call") return functions[tree.fn](args);
  switch (tree.op) {
    case "+":
      return rounded(x + y, e + f);
    case "-":
      return rounded(x - y, e + f);
    case "*":
      return rounded(x * y, Math.abs(x) * f + Math.abs(y) * e + e * f);
    case "/":
      if (Math.abs(y) <= 2 * f || y === 0) throw new Undecided();
      return rounded(x / y, (2 * (e + Math.abs(x / y) * f)) / Math.abs(y));
  }
}

export function textOf(tree: Tree): string {
  if (tree.kind === "leaf") return tree.text;
  const [x = "", y = "", then = "", otherwise = ""] = tree.args.map(textOf);
  switch (tree.kind) {
    case "neg":
      return `-(${x})`;
    case "op":
      return `(${x} ${tree.op} ${y})`;
    case "call":
      return `${tree.fn}(${tree.args.map(textOf).join(", ")})`;
    case "choice":
      return `(${x} ${tree.op} ${y} ? ${then} : ${otherwise})`;
  }
}

/** The program as an arrow function; its loss is NaN where a or c is, which a loss must be. */
export function programText({ consts, results: [loss, da, dc] }: Program): string {
  const lines = consts.map((tree, i) => `    const x${i} = ${textOf(tree)};\n`).join("");
  return `(a, c, beta, tau) => {\n${lines}    return [a + c + ${textOf(loss)}, ${textOf(da)}, ${textOf(dc)}];\n  }`;
}

const tree = (leaves: readonly string[]): fc.Arbitrary<Tree> => {
  const leaf = fc.constantFrom(...leaves).map((text): Tree => ({ kind: "leaf", text }));
  return fc.letrec<{ tree: Tree }>((tie) => {
    const sub = tie("tree");
    return {
      tree: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.tuple(sub).map((args): Tree => ({ kind: "neg", args })),
        fc
          .tuple(fc.constantFrom(...(["+", "-", "*", "/"] as const)), fc.tuple(sub, sub))
          .map(([op, args]): Tree => ({ kind: "op", op, args })),
        fc
          .tuple(fc.constantFrom("Math.max", "Math.min"), fc.tuple(sub, sub))
          .map(([fn, args]): Tree => ({ kind: "call", fn, args })),
        fc
          .tuple(
            fc.constantFrom("Math.abs", "Math.exp", "Math.expm1", "sigmoid", "softplus", "logsigmoid"),
            fc.tuple(sub),
          )
          .map(([fn, args]): Tree => ({ kind: "call", fn, args })),
        fc
          .tuple(fc.constantFrom(">", ">=", "<", "<=", "==="), fc.tuple(sub, sub, sub, sub))
          .map(([op, args]): Tree => ({ kind: "choice", op, args })),
      ),
    };
  }).tree;
};

const LEAVES = ["a", "a", "c", "c", "beta", "tau", "0", "1", "2", "-1", "0.5", "3"];

export const programs: fc.Arbitrary<Program> = fc.integer({ min: 0, max: 3 }).chain((count) => {
  const known = (i: number): fc.Arbitrary<Tree> => tree([...LEAVES, ...Array.from({ length: i }, (_, k) => `x${k}`)]);
  return fc.record({
    consts: fc.tuple(...Array.from({ length: count }, (_, i) => known(i))),
    results: fc.tuple(known(count), known(count), known(count)),
  });
});

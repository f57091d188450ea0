// Kernels in passes: what a pass takes was kept for it, and nothing that takes long is computed in two of them. What the passes compute
// is tested with the kernels as a whole.

import { describe, expect, it } from "vitest";
import { kernels, loggedKernels, variants } from "../../scripts/generate/kernels.ts";
import { printAssembly } from "../../src/print/assembly.ts";
import { argsOf, type Expression } from "../../src/print/expression.ts";
import { passesOf } from "../../src/print/passes.ts";
import { expressionKernel } from "../support/printed.ts";

/** The elementary functions of a kernel, as its text calls them, and as its expressions do, each counted once. */
function elementary(text: string, outputs: readonly Expression[]) {
  const calls = text.match(/\b(exp|expm1|log|log1p|exp_neg_abs|softplus_log)_x4\(/g) ?? [];
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (node.uniform || seen.has(node)) return;
    seen.add(node);
    argsOf(node).forEach(visit);
  };
  outputs.forEach(visit);
  const isCall = (node: Expression): boolean => node.kind === "call" && !["abs", "max", "min"].includes(node.fn);
  return { calls: calls.length, nodes: [...seen].filter(isCall).length };
}

describe.each([...kernels, ...variants, ...loggedKernels].map((kernel) => [kernel.name, kernel] as const))(
  "%s",
  (_, kernel) => {
    const passes = passesOf(kernel);

    it("takes what an earlier pass kept, and writes each output once", () => {
      const kept = new Set<Expression>();
      for (const { takes, keeps } of passes) {
        expect(takes.every((node) => kept.has(node))).toBe(true);
        for (const node of keeps) kept.add(node);
      }
      const written = passes.flatMap(({ writes }) => writes).sort();
      expect(written).toEqual([0, 1, 2].filter((k) => kernel.writes[k]));
    });

    it("computes no elementary function in two passes", () => {
      const { calls, nodes } = elementary(printAssembly([kernel]), kernel.outputs);
      expect(calls).toBe(nodes * kernel.vectors);
    });
  },
);

it("an elementary function of another has a pass of its own, a formula without any has one", () => {
  expect(passesOf(expressionKernel("a > c ? a : c * c - a"))).toHaveLength(1);
  expect(passesOf(expressionKernel("Math.exp(a)"))).toHaveLength(1);
  const [first, second, ...others] = passesOf(expressionKernel("softplus(a)"));
  expect(others).toEqual([]);
  expect(first?.keeps).toEqual(second?.takes);
  expect(first?.keeps).toHaveLength(1);
});

it("more numbers between passes than there is room for are refused", () => {
  const sum = (term: (k: number) => string): string => Array.from({ length: 34 }, (_, k) => term(k)).join(" + ");
  const kernel = expressionKernel(sum((k) => `Math.exp(Math.expm1(a * ${k + 2}) * Math.expm1(c * ${k + 2}))`));
  expect(() => passesOf(kernel)).toThrow("expected passes that keep at most 32 numbers");
});

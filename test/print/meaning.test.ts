// What is printed means what was written, for random functions of the language: each printed text is run as it stands, on
// float64. Nothing in it is computed twice.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argsOf, type Expression } from "../../src/print/expression.ts";
import type { Kernel } from "../../src/print/kernel.ts";
import { type Bounded, evaluate, programs, programText, Undecided } from "../support/expressions.ts";
import {
  expressionKernel,
  operationsOf,
  pairFunction,
  pairKernel,
  repeated,
  targets,
  wgslBody,
} from "../support/printed.ts";

const GRAD_SCALE = 0.375;
const inputs = fc.record({
  a: fc.double({ min: -4, max: 4, noNaN: true }),
  c: fc.double({ min: -4, max: 4, noNaN: true }),
  beta: fc.constantFrom(0.1, 1, 3),
  tau: fc.constantFrom(-0.5, 0.05, 2),
});
const runs = Object.entries(targets);

/** Every expression of a kernel, once. */
function expressionsOf({ outputs }: Kernel): Set<Expression> {
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (seen.has(node)) return;
    seen.add(node);
    argsOf(node).forEach(visit);
  };
  outputs.forEach(visit);
  return seen;
}

describe("a random function", () => {
  it.each(runs)(
    "means in %s what it says",
    (_, run) => {
      fc.assert(
        fc.property(programs, inputs, (program, values) => {
          const known = new Map<string, Bounded>(Object.entries(values).map(([name, value]) => [name, [value, 0]]));
          const bounds = boundsOf(() => {
            for (const [i, tree] of program.consts.entries()) known.set(`x${i}`, evaluate(tree, known));
            return program.results.map((tree) => evaluate(tree, known));
          });
          fc.pre(bounds?.flat().every((x) => Math.abs(x) < 1e100) ?? false);
          const text = programText(program);
          const { a, c, beta, tau } = values;
          const [loss, da, dc] = pairFunction(text)(a, c, beta, tau);
          const got = run(pairKernel(text), { ...values, gradScale: GRAD_SCALE });
          for (const [k, want] of [loss, GRAD_SCALE * da, GRAD_SCALE * dc].entries()) {
            const [, error = 0] = bounds?.[k] ?? [];
            expect(Math.abs((got[k] as number) - want)).toBeLessThanOrEqual(error + 1e-15 * (8 + Math.abs(want)));
          }
        }),
        { numRuns: 300 },
      );
    },
    30_000,
  );

  it("is NaN in AssemblyScript, in all its results, where a or c is", () => {
    fc.assert(
      fc.property(programs, inputs, fc.boolean(), (program, values, isA) => {
        const kernel = pairKernel(programText(program));
        const got = targets.AssemblyScript(kernel, { ...values, gradScale: GRAD_SCALE, [isA ? "a" : "c"]: NaN });
        expect(got).toEqual([NaN, NaN, NaN]);
      }),
    );
  });

  it("is printed without computing anything twice", () => {
    fc.assert(
      fc.property(programs, (program) => {
        expect(repeated(operationsOf(pairKernel(programText(program))))).toEqual([]);
      }),
    );
  });

  it("is made of frozen expressions, and printed the same again", () => {
    fc.assert(
      fc.property(programs, (program) => {
        const kernel = pairKernel(programText(program));
        for (const node of expressionsOf(kernel)) {
          expect("args" in node ? [node, node.args].every(Object.isFrozen) : Object.isFrozen(node)).toBe(true);
        }
        const first = wgslBody(kernel);
        targets.AssemblyScript(kernel, { a: 1, c: 1, beta: 1, tau: 1, gradScale: 1 });
        expect([wgslBody(kernel), wgslBody(pairKernel(programText(program)))]).toEqual([first, first]);
      }),
      { numRuns: 50 },
    );
  });
});

describe("the exponential of -|x|", () => {
  const exponentialsOf = (expression: string): string[] =>
    wgslBody(expressionKernel(expression)).match(/exp\w*\(/g) ?? [];

  it.each([
    "sigmoid(a) + sigmoid(-a)",
    "softplus(a) + softplus(-a)",
    "logsigmoid(a) * logsigmoid(-a)",
    "sigmoid(-a) * softplus(a) + logsigmoid(a)",
    "Math.exp(-Math.abs(a)) + sigmoid(a)",
    "Math.exp(-Math.abs(-a)) * softplus(Math.abs(a))",
    "softplus(-a) + Math.log1p(Math.exp(-Math.abs(a)))",
    "sigmoid(a - c) + Math.exp(-Math.abs(a - c))",
  ])("is one in %s", (expression) => {
    expect(exponentialsOf(expression)).toEqual(["exp_neg_abs("]);
  });

  it("is another for another x", () => {
    expect(exponentialsOf("sigmoid(a) + sigmoid(c)")).toHaveLength(2);
    expect(exponentialsOf("sigmoid(a) + Math.exp(a) + Math.exp(-a)")).toHaveLength(3);
  });
});

describe("a product or a sum", () => {
  it("is the same with its sides exchanged", () => {
    expect(operationsOf(expressionKernel("(a * c) / (c * a) + (c * a) / (a + c) + (c + a)"))).toEqual([
      ...operationsOf(expressionKernel("(a * c) / (a * c) + (a * c) / (a + c) + (a + c)")),
    ]);
  });
});

function boundsOf<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof Undecided) return undefined;
    throw error;
  }
}

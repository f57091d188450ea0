// What cannot be printed, or would mean something else in another language, is refused where it stands.

import { describe, expect, it } from "vitest";
import { describeLoss } from "../../src/losses/kinds.ts";
import type { MarginLoss } from "../../src/losses/loss.ts";
import { lossKernel, marginKernel } from "../../src/print/kernel.ts";
import { exportedFunction, lossFunction, type Source } from "../../src/print/source.ts";
import { pairKernel, pairSource } from "../support/printed.ts";

const LANGUAGE = /^expected what every target can print: const, \+ - \* \/, comparisons, \?:, /;

/** Line, column and the rest of what is said of a function that starts at 5:9. */
function refusal(fn: string): [line: number, column: number, message: string] {
  try {
    pairKernel(fn);
  } catch (error) {
    const [, line, column, message = ""] = String(error).match(/^Error: tested\.ts:(\d+):(\d+): (.*)/) ?? [];
    return [Number(line), Number(column), message.replace(LANGUAGE, "… ").replace(/^….*, got /, "got ")];
  }
  return [0, 0, "nothing"];
}

describe("an expression beyond the language", () => {
  // Each stands at 5:35, in `pair: (a, c, beta, tau) => [a + X, a, c]`, unless a column is given.
  it.each<[expression: string, message: string, column?: number]>([
    ["exp(a)", "got exp(): write Math.exp"],
    ["max(a, c)", "got max(): write Math.max"],
    ["softsign(a)", "got softsign()"],
    ["Math.sigmoid(a)", "got a call of Math.sigmoid"],
    ["Math.pow(a, 2)", "got a call of Math.pow"],
    ["Math.toString(a)", "got a call of Math.toString"],
    ["toString(a)", "got toString()"],
    ["Math['exp'](a)", "got a call of Math['exp']"],
    ["globalThis.Math.exp(a)", "got a call of globalThis.Math.exp"],
    ["Number(a)", "got Number()"],
    ["a(c)", "got a()"],
    ["Math.PI", "got MemberExpression"],
    ["Infinity", "got Infinity, which is neither an argument nor a const of the function"],
    ["NaN", "got NaN, which is neither an argument nor a const of the function"],
    ["shift", "got shift, which is neither an argument nor a const of the function"],
    ["1e400", "got 1e400"],
    ["2n", "got 2n"],
    ["'1'", "got '1'"],
    ["true", "got true"],
    ["null", "got null"],
    ["/x/", "got /x/"],
    ["`1`", "got TemplateLiteral"],
    ["[a]", "got ArrayExpression"],
    ["+a", "got +"],
    ["~a", "got ~"],
    ["a ** 2", "got **"],
    ["a % 2", "got %"],
    ["(a | 0)", "got |", 36],
    ["(a == c ? a : c)", "got ==", 36],
    ["(a != c ? a : c)", "got !=", 36],
    ["(a !== c ? a : c)", "got !==", 36],
    ["(!(a > c) ? a : c)", "got !", 36],
    ["(a > 0 && c > 0 ? a : c)", "got LogicalExpression", 36],
    ["(a || c)", "got LogicalExpression", 36],
    ["(a, c)", "got SequenceExpression", 36],
    ["(a = c)", "got AssignmentExpression", 36],
    ["[a][0]", "got MemberExpression"],
    ["(() => a)()", "got a call of () => a"],
    ["new Date()", "got NewExpression"],
    ["Math.max(...[a, c])", "got ...", 44],
    ["this", "got ThisExpression"],
  ])("%s", (expression, message, column = 35) => {
    expect(refusal(`(a, c, beta, tau) => [a + ${expression}, a, c]`)).toEqual([5, column, message]);
  });
});

describe("what would mean something else in a kernel", () => {
  it.each<[what: string, fn: string, column: number, message: string]>([
    ["a comparison as a number", "(a, c) => [a + (a > c), a, c]", 25, "expected a number, got a comparison"],
    ["a comparison as a result", "(a, c) => [a + c, a > c, c]", 27, "expected a number, got a comparison"],
    ["a number as a test", "(a, c) => [a + c, a ? a : c, c]", 27, "expected a comparison before ?, got a number"],
    ["comparisons in a chain", "(a, c) => [a > c > 0 ? a : c, a, c]", 20, "expected a number, got a comparison"],
    [
      "Math.log of a log-ratio",
      "(a, c) => [a + Math.log(c), a, c]",
      24,
      "got Math.log of more than hyperparameters, for which there is no kernel",
    ],
    [
      "Math.log1p of what may leave [-0.5, 1]",
      "(a, c) => [a + Math.log1p(c), a, c]",
      24,
      "expected Math.log1p of Math.exp(-Math.abs(…)), or of Math.max(Math.min(…, 1), -0.5), only, got Math.log1p(c)",
    ],
    ["Math.max of three", "(a, c) => [a + Math.max(a, c, 0), a, c]", 24, "expected 2 arguments of Math.max, got 3"],
    ["Math.max of one", "(a, c) => [a + Math.max(a), a, c]", 24, "expected 2 arguments of Math.max, got 1"],
    ["Math.abs of nothing", "(a, c) => [a + Math.abs(), a, c]", 24, "expected 1 argument of Math.abs, got 0"],
    ["sigmoid of two", "(a, c) => [a + sigmoid(a, c), a, c]", 24, "expected 1 argument of sigmoid, got 2"],
    ["a Math of its own", "(a, c, Math) => [a + Math.exp(c), a, c]", 30, "got a call of Math.exp"],
    ["a sigmoid of its own", "(a, c, sigmoid) => [a + sigmoid(c), a, c]", 33, "got sigmoid()"],
    [
      "a loss that loses a NaN",
      "(a, c) => [c, a, c]",
      9,
      "expected a loss that is NaN where a is, got one that is not",
    ],
  ])("%s", (_, fn, column, message) => {
    expect(refusal(fn)).toEqual([5, column, message]);
  });

  it("sigmoid, softplus and logsigmoid that are not those of losses/math.ts", () => {
    const text = pairSource("(a, c) => [a + sigmoid(c), a, c]").text.replace('"./math.ts"', '"../other/math.ts"');
    const kernel = (): unknown => lossFunctionKernel({ file: "tested.ts", text });
    expect(kernel).toThrow(/^tested\.ts:5:24: .* got sigmoid\(\)$/);
    const renamed = text.replace(
      '{ logsigmoid, sigmoid, softplus, softplusLog } from "../other/math.ts"',
      '{ softplus as sigmoid } from "./math.ts"',
    );
    expect(lossFunctionKernel({ file: "tested.ts", text: renamed }).steps).toHaveLength(2);
  });
});

describe("a function beyond the language", () => {
  it.each<[what: string, fn: string, line: number, column: number, message: string | RegExp]>([
    ["let", "(a, c) => {\n    let x = a;\n    return [x + c, x, c];\n  }", 6, 5, "got let x = a;"],
    ["var", "(a, c) => {\n    var x = a;\n    return [x + c, x, c];\n  }", 6, 5, "got var x = a;"],
    [
      "if",
      "(a, c) => {\n    if (a > c) return [a, a, c];\n    return [a + c, a, c];\n  }",
      6,
      5,
      "got if (a > c) return [a, a, c];",
    ],
    ["for", "(a, c) => {\n    for (;;) {}\n    return [a + c, a, c];\n  }", 6, 5, "got for (;;) {}"],
    ["a statement", "(a, c) => {\n    const x = a;\n    x;\n    return [a + c, a, c];\n  }", 7, 5, "got x;"],
    ["a pattern", "(a, c) => {\n    const [x] = [a];\n    return [x + c, a, c];\n  }", 6, 17, "got ArrayExpression"],
    [
      "a const of a pattern",
      "(a, c) => {\n    const { x } = a;\n    return [x + c, a, c];\n  }",
      6,
      11,
      "expected a name, got a pattern",
    ],
    ["no result", "(a, c) => {\n    const x = a;\n  }", 6, 5, "expected a result, got no return at its end"],
    ["nothing", "(a, c) => {}", 5, 9, "expected a result, got no return at its end"],
    ["a number as result", "(a, c) => a + c", 5, 19, "expected an array of results, got a + c"],
    ["two results", "(a, c) => [a + c, a]", 5, 9, "expected three results"],
    ["four results", "(a, c) => [a + c, a, c, c]", 5, 9, "expected three results"],
    ["a hole", "(a, c) => [a + c, , c]", 5, 19, "expected numbers, got [a + c, , c]"],
    ["a spread", "(a, c) => [a + c, ...a]", 5, 19, "expected numbers, got [a + c, ...a]"],
    ["a default", "(a, c = 0) => [a + c, a, c]", 5, 13, "expected a name, got a pattern"],
    ["the rest of the arguments", "(a, ...c) => [a, a, a]", 5, 13, "expected a name, got a pattern"],
    [
      "an argument too many",
      "(a, c, beta, tau, more) => [a + c, a, c]",
      5,
      27,
      "expected 4 arguments at most, got more",
    ],
    [
      "async",
      "async (a, c) => [a + c, a, c]",
      5,
      9,
      "expected an arrow function, which is printed as it is written here",
    ],
    [
      "function",
      "function (a, c) { return [a + c, a, c]; }",
      5,
      9,
      "expected an arrow function, which is printed as it is written here",
    ],
    ["another's function", "other.pair", 5, 9, "expected an arrow function, which is printed as it is written here"],
    ["types", "(a: number, c: number) => [a + c, a, c]", 5, 11, "Unexpected token"],
    [
      "two consts of one name",
      "(a, c) => {\n    const x = a;\n    const x = c;\n    return [x, a, c];\n  }",
      7,
      11,
      "Identifier 'x' has already been declared",
    ],
  ])("%s", (_, fn, line, column, message) => {
    expect(refusal(fn)).toEqual([line, column, message]);
  });
});

describe("a file without the definition", () => {
  it("of a loss", () => {
    const source = pairSource("(a, c) => [a + c, a, c]");
    expect(() => lossFunction(source, "other", "pair")).toThrow(
      'tested.ts: expected export const … = defineLoss({ id: "other", … }), found none',
    );
    expect(() => lossFunction(source, "tested", "margin")).toThrow(/^tested\.ts:3:34: expected an arrow function/);
  });

  it("of a margin", () => {
    const source: Source = { file: "margins.ts", text: "export const half: Margin = (a, c) => [a - c, 1];" };
    expect(() => exportedFunction(source, "whole")).toThrow("margins.ts: expected export const whole = …, found none");
    expect(() => marginKernel("half", exportedFunction(source, "half"), [])).toThrow(
      "margins.ts:1:29: expected three results",
    );
  });

  it("with a margin that returns no slope", () => {
    const text = 'export const tested = defineLoss({ id: "tested", margin: (d) => [d] });';
    const loss: MarginLoss = { id: "tested", title: "", params: {}, margin: (d) => [d, 1] };
    const source = { file: "tested.ts", text };
    const perToken = lossFunction(source, "tested", "margin");
    expect(() => lossKernel(describeLoss(loss), source, perToken)).toThrow("tested.ts:1:58: expected [loss, slope]");
  });
});

const lossFunctionKernel = (source: Source) => marginKernel("tested", lossFunction(source, "tested", "pair"), []);

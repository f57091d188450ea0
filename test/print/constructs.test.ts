// Each construct of the language of definitions, in each language that kernels are printed in.

import { describe, expect, it } from "vitest";
import { printAssembly } from "../../src/print/assembly.ts";
import { hostText, printHost } from "../../src/print/host.ts";
import type { Kernel } from "../../src/print/kernel.ts";
import { printWgsl } from "../../src/print/wgsl.ts";
import { expressionKernel, pairKernel, wgslBody } from "../support/printed.ts";

/** Statements and the first result of a kernel. */
const assemblyOf = (kernel: Kernel): string => {
  const text = printAssembly([kernel]);
  const steps = [...text.matchAll(/^ +(const (?!a |c |zero|end|rest|stop|kept|\w+Length|\w+ = v128\.load).*)$/gm)].map(
    ([, line]) => line,
  );
  return [...steps, text.match(/v128\.store\(loss \+ i, (.*)\);/)?.[1]].join(" ");
};

const wgslOf = (kernel: Kernel): string =>
  wgslBody(kernel)
    .replace(/return vec3f\((.*), 0\.0, 0\.0\);/, "$1")
    .replaceAll(/^ +/gm, "")
    .replaceAll("\n", " ");

const constantsOf = ({ constants }: Kernel): string[] => constants.map(hostText);

describe("an expression of the log-ratios", () => {
  it.each<[source: string, assembly: string, wgsl: string, typescript: string]>([
    ["a", "a", "a", "a"],
    ["-a", "neg_x4(a)", "-(a)", "-a"],
    ["-(-a)", "a", "a", "a"],
    ["a + c", "f32x4.add(a, c)", "(a + c)", "a + c"],
    ["a - c", "f32x4.sub(a, c)", "(a - c)", "a - c"],
    ["a * c", "f32x4.mul(a, c)", "(a * c)", "a * c"],
    ["a / c", "f32x4.div(a, c)", "(a / c)", "a / c"],
    ["a - (c - a)", "f32x4.sub(a, f32x4.sub(c, a))", "(a - (c - a))", "a - (c - a)"],
    ["a * c + a", "madd_x4(a, c, a)", "((a * c) + a)", "(a * c) + a"],
    ["a + a * c", "madd_x4(a, c, a)", "(a + (a * c))", "a + (a * c)"],
    ["a > c ? a : c", "v128.bitselect(a, c, f32x4.gt(a, c))", "select(c, a, (a > c))", "(a > c) ? a : c"],
    ["a >= c ? a : c", "v128.bitselect(a, c, f32x4.ge(a, c))", "select(c, a, (a >= c))", "(a >= c) ? a : c"],
    ["a < c ? a : c", "v128.bitselect(a, c, f32x4.lt(a, c))", "select(c, a, (a < c))", "(a < c) ? a : c"],
    ["a <= c ? a : c", "v128.bitselect(a, c, f32x4.le(a, c))", "select(c, a, (a <= c))", "(a <= c) ? a : c"],
    ["a === c ? a : c", "v128.bitselect(a, c, f32x4.eq(a, c))", "select(c, a, (a == c))", "(a === c) ? a : c"],
    ["a > c ? a : 0", "v128.and(a, f32x4.gt(a, c))", "select(0.0, a, (a > c))", "(a > c) ? a : 0"],
    [
      "a > 0 ? (c > 0 ? a : c) : -a",
      "v128.bitselect(v128.bitselect(a, c, f32x4.gt(c, zero)), neg_x4(a), f32x4.gt(a, zero))",
      "select(-(a), select(c, a, (c > 0.0)), (a > 0.0))",
      "(a > 0) ? ((c > 0) ? a : c) : -a",
    ],
    ["Math.abs(a)", "f32x4.abs(a)", "abs(a)", "Math.abs(a)"],
    ["Math.exp(a)", "exp_x4(a)", "exp_f32(a)", "Math.exp(a)"],
    ["Math.expm1(a)", "expm1_x4(a)", "expm1(a)", "Math.expm1(a)"],
    ["Math.max(a, c)", "f32x4.pmax(a, c)", "max(a, c)", "Math.max(a, c)"],
    ["Math.min(a, c)", "f32x4.pmin(a, c)", "min(a, c)", "Math.min(a, c)"],
    [
      "Math.log1p(Math.exp(-Math.abs(a)))",
      "const e_a = exp_neg_abs_x4(a); log1p_x4(e_a)",
      "let e_a = exp_neg_abs(a); log1p(e_a)",
      "Math.log1p(Math.exp(-Math.abs(a)))",
    ],
    [
      "softplus(a)",
      "const e_a = exp_neg_abs_x4(a); const log1p_a = log1p_x4(e_a); f32x4.add(f32x4.pmax(a, zero), log1p_a)",
      "let e_a = exp_neg_abs(a); let log1p_a = log1p(e_a); (max(a, 0.0) + log1p_a)",
      "Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)))",
    ],
    ["softplusLog(a)", "softplus_log_x4(a)", "softplus_log(a)", "Math.log1p(a < 0 ? -2 : a)"],
    [
      "logsigmoid(a)",
      "const e_a = exp_neg_abs_x4(a); const log1p_a = log1p_x4(e_a); neg_x4(f32x4.sub(log1p_a, f32x4.pmin(a, zero)))",
      "let e_a = exp_neg_abs(a); let log1p_a = log1p(e_a); -((log1p_a - min(a, 0.0)))",
      "-(Math.log1p(Math.exp(-Math.abs(a))) - Math.min(a, 0))",
    ],
  ])("%s", (source, assembly, wgsl, typescript) => {
    const kernel = expressionKernel(source);
    expect({ assembly: assemblyOf(kernel), wgsl: wgslOf(kernel), typescript: hostText(kernel.outputs[0]) }).toEqual({
      assembly,
      wgsl,
      typescript,
    });
  });

  it("sigmoid(a), whose numerator and denominator are chosen by the sign", () => {
    const kernel = expressionKernel("sigmoid(a)");
    expect(constantsOf(kernel)).toEqual(["1"]);
    expect(wgslOf(kernel)).toBe(
      "let e_a = exp_neg_abs(a); let inverse_a = (k[0] / (k[0] + e_a)); " +
        "let sigmoid_a = (select(e_a, k[0], (a >= 0.0)) * inverse_a); sigmoid_a",
    );
  });
});

describe("numbers and hyperparameters", () => {
  it.each<[source: string, constants: string[], assembly: string, wgsl: string]>([
    ["2 * a", ["2"], "f32x4.mul(two, a)", "(k[0] * a)"],
    ["-3e38 * a", ["-3e+38"], "f32x4.mul(k, a)", "(k[0] * a)"],
    ["1 * a", [], "a", "a"],
    ["a * -1", [], "neg_x4(a)", "-(a)"],
    ["a + 0", [], "f32x4.add(a, zero)", "(a + 0.0)"],
    ["Math.max(a, -0)", ["-0"], "f32x4.pmax(a, k)", "max(a, k[0])"],
    ["beta * a", ["beta"], "f32x4.mul(beta, a)", "(k[0] * a)"],
    ["a / beta", ["1 / beta"], "f32x4.mul(a, k)", "(a * k[0])"],
    ["(beta - 2 * tau) * a", ["beta - (2 * tau)"], "f32x4.mul(k, a)", "(k[0] * a)"],
    ["Math.log(beta) * a", ["Math.log(beta)"], "f32x4.mul(k, a)", "(k[0] * a)"],
    ["Math.log1p(-beta) * a", ["Math.log1p(-beta)"], "f32x4.mul(k, a)", "(k[0] * a)"],
    ["(beta > tau ? beta : 1 - tau) * a", ["(beta > tau) ? beta : (1 - tau)"], "f32x4.mul(k, a)", "(k[0] * a)"],
    [
      "softplus(-beta) * a",
      ["Math.log1p(Math.exp(-Math.abs(beta))) - Math.min(beta, 0)"],
      "f32x4.mul(k, a)",
      "(k[0] * a)",
    ],
    [
      "beta > 0 ? a : c",
      ["beta"],
      "const when = f32x4.gt(beta, zero); v128.bitselect(a, c, when)",
      "let when = (k[0] > 0.0); select(c, a, when)",
    ],
  ])("%s", (source, constants, assembly, wgsl) => {
    const kernel = expressionKernel(source);
    expect({ constants: constantsOf(kernel), assembly: assemblyOf(kernel), wgsl: wgslOf(kernel) }).toEqual({
      constants,
      assembly,
      wgsl,
    });
  });

  it("are gathered into one constant per gradient, with gradScale", () => {
    const kernel = pairKernel("(a, c, beta, tau) => [a + c, -beta * (a * (2 * tau)), (a * c) / tau]");
    expect(constantsOf(kernel)).toEqual(["(gradScale * -beta) * (2 * tau)", "gradScale * (1 / tau)"]);
    expect(wgslBody(kernel)).toContain("return vec3f((a + c), (k[0] * a), (k[1] * (a * c)));");
  });

  it("that a kernel does not read are underlined for the host", () => {
    expect(printHost([pairKernel("(a, c, beta) => [a + c, beta, beta]")])).toContain(
      "  pair_tested: (gradScale: number, beta: number, _tau: number) => [\n    gradScale * beta,\n  ],\n",
    );
  });
});

describe("names", () => {
  it("are those of the definition", () => {
    const kernel = pairKernel("(a, c) => { const z = Math.abs(a - c); return [z * z, 2 * z, -2 * z]; }");
    expect(assemblyOf(kernel)).toBe("const z = f32x4.abs(f32x4.sub(a, c)); f32x4.mul(z, z)");
    expect(wgslBody(kernel)).toContain("let z = abs((a - c));");
  });

  it("differ from those that the printed texts refer to", () => {
    const referred = ["pc", "value", "zero", "loss", "exp_x4", "f32x4", "exp_f32", "select", "target", "vec3f"];
    const lines = referred.map((name, i) => `const ${name} = Math.abs(a * ${i + 2});`);
    const kernel = pairKernel(`(a, c) => { ${lines.join(" ")} return [a + c, ${referred.join(" + ")}, 0]; }`);
    expect(kernel.steps.map((node) => kernel.names.get(node))).toEqual(referred.map((name) => `${name}1`));
  });

  it("of hyperparameters give way as well", () => {
    const kernel = pairKernel("(a, c, loss, n) => [loss * a + n * c, 0, 0]", ["loss", "n"]);
    expect(printAssembly([kernel])).toContain("const loss1 = v128.load32_splat(constants, 0); // loss");
    expect(printAssembly([kernel])).toContain("const value = madd_x4(loss1, a, f32x4.mul(n1, c));");
  });
});

describe("a NaN among the inputs", () => {
  it("is put into each gradient that would lose it", () => {
    const kernel = pairKernel("(a, c) => [a + c, a > 0 ? 1 : 0, a + c]");
    const text = printAssembly([kernel]);
    expect(text).toContain("const nan = f32x4.ne(value, value);");
    expect(text).toMatch(/v128\.store\(gc \+ i, v128\.or\(.*, nan\)\);/);
    expect(text).not.toMatch(/v128\.store\(gr \+ i, v128\.or/);
  });
});

it("imports the math that the kernels call, and no other", () => {
  const text = printAssembly([expressionKernel("Math.exp(a)"), expressionKernel("-Math.expm1(a)")]);
  expect(text).toContain('import { exp_x4, expm1_x4, neg_x4 } from "./math";');
});

it("names the definition's file above each kernel", () => {
  const kernel = expressionKernel("a");
  expect(printAssembly([kernel])).toContain("/** tested.ts */\nexport function margin_tested_f32(");
  expect(printWgsl([kernel])).toContain("// tested.ts; k: \nfn margin_tested(");
});

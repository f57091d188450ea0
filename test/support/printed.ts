// Definitions given as text, their kernels, and what the printed kernels compute: each text is run as JavaScript on float64,
// with the instructions it refers to stood in for by their meaning on one lane.

import { type Expression as Ast, parse } from "acorn";
import { describeLoss } from "../../src/losses/kinds.ts";
import { logsigmoid, sigmoid, softplus, softplusLog } from "../../src/losses/math.ts";
import { printAssembly } from "../../src/print/assembly.ts";
import { isNumber } from "../../src/print/expression.ts";
import { hostText } from "../../src/print/host.ts";
import { type Kernel, lossKernel, marginKernel } from "../../src/print/kernel.ts";
import { exportedFunction, type Source } from "../../src/print/source.ts";
import { printWgsl } from "../../src/print/wgsl.ts";

export type Numbers = Readonly<Record<string, number>>;
type Three = [number, number, number];
type Pair = (a: number, c: number, ...params: number[]) => Three;

const IMPORT = 'import { logsigmoid, sigmoid, softplus, softplusLog } from "./math.ts";';

/** The file of a loss whose function `pair` starts at 5:9, after `pair: `. */
export const pairSource = (fn: string): Source => ({
  file: "tested.ts",
  text: `${IMPORT}\n\nexport const tested = defineLoss({\n  id: "tested",\n  pair: ${fn},\n});\n`,
});

const perToken = exportedFunction(
  { file: "none.ts", text: "export const reverseKl = (a, c) => [a - c, 1, -1];" },
  "reverseKl",
);
const param = { default: 1, min: 0, max: 10 };

/** Its kernel; the function takes `a, c` and these hyperparameters. */
export function pairKernel(fn: string, params: readonly string[] = ["beta", "tau"]): Kernel {
  const pair: Pair = () => [0, 0, 0];
  const loss = { id: "tested", title: "", params: Object.fromEntries(params.map((name) => [name, param])), pair };
  return lossKernel(describeLoss(loss), pairSource(fn), perToken);
}

/** The kernel that computes nothing but one expression of `a`, `c`, their lengths, `beta` and `tau`. */
export const expressionKernel = (expression: string): Kernel =>
  marginKernel("tested", exportedFunction(expressionSource(expression), "tested"), ["beta", "tau"]);

const expressionSource = (expression: string): Source => ({
  file: "tested.ts",
  text: `${IMPORT}\nexport const tested = (a, c, chosenLength, rejectedLength, beta, tau) => [${expression}, 0, 0];`,
});

/** The function itself. */
export const pairFunction = (fn: string): Pair =>
  Function("logsigmoid", "sigmoid", "softplus", `return ${fn}`)(logsigmoid, sigmoid, softplus);

/** An expression of a kernel, by its text for the host. */
const onHost = (text: string, values: Numbers): number =>
  Function(...Object.keys(values), `return ${text}`)(...Object.values(values));

const constantsOf = ({ constants }: Kernel, values: Numbers): number[] =>
  constants.map((node) => onHost(hostText(node), values));

/** What each target makes of a kernel. `values` holds inputs and hyperparameters. */
export const targets: Readonly<
  Record<"TypeScript" | "AssemblyScript" | "WGSL", (kernel: Kernel, values: Numbers) => Three>
> = {
  TypeScript: ({ outputs }, values) => outputs.map((node) => onHost(hostText(node), values)) as Three,
  AssemblyScript: runAssembly,
  WGSL: runWgsl,
};

const chosen = (test: boolean, x: number, y: number): number => (test ? x : y);

const lane = {
  add: (x: number, y: number) => x + y,
  sub: (x: number, y: number) => x - y,
  mul: (x: number, y: number) => x * y,
  div: (x: number, y: number) => x / y,
  gt: (x: number, y: number) => x > y,
  ge: (x: number, y: number) => x >= y,
  lt: (x: number, y: number) => x < y,
  le: (x: number, y: number) => x <= y,
  eq: (x: number, y: number) => x === y,
  ne: (x: number, y: number) => x !== y,
  abs: Math.abs,
  pmax: (x: number, y: number) => chosen(x < y, y, x),
  pmin: (x: number, y: number) => chosen(y < x, y, x),
  splat: (x: number) => x,
};

/** Where the passes of a kernel keep what they compute. */
const KEPT = 100;

const expNegAbs = (x: number): number => Math.exp(-Math.abs(x));

/** Four pairs, of which the first is looked at: a pointer is a place in `memory`, which holds one lane per vector. */
function runAssembly(kernel: Kernel, values: Numbers): Three {
  const constants = constantsOf(kernel, values);
  const { a = 0, c = 0, chosenLength = 1, rejectedLength = 1, rewardMargin = 0 } = values;
  const memory = [a, c, 0, 0, chosenLength, rejectedLength, rewardMargin, NaN, NaN, NaN];
  const kept: unknown[] = [];
  // What is 0 whatever the inputs is not stored.
  kernel.outputs.forEach((node, k) => {
    if (isNumber(node, 0)) memory[memory.length - 3 + k] = 0;
  });
  const globals = {
    f32x4: lane,
    v128: {
      load: (at: number, place = 0) => (at === KEPT ? kept[place] : memory[at]),
      store: (at: number, x: number, place = 0) => {
        if (at === KEPT) kept[place] = x;
        else memory[at] = x;
      },
      load32_splat: (_: unknown, offset: number) => constants[offset / 4],
      bitselect: (x: number, y: number, test: boolean) => chosen(test, x, y),
      and: (x: number, test: boolean) => chosen(test, x, 0),
      or: (x: number, nan: boolean) => chosen(nan, NaN, x),
    },
    exp_x4: Math.exp,
    expm1_x4: Math.expm1,
    log_x4: Math.log,
    log1p_x4: Math.log1p,
    exp_neg_abs_x4: expNegAbs,
    neg_x4: (x: number) => -x,
    madd_x4: (x: number, y: number, z: number) => x * y + z,
    softplus_log_x4: softplusLog,
    kept_scratch: () => KEPT,
    KEPT_BYTES: 16,
    min: Math.min,
  };
  const [, text = ""] = printAssembly([kernel]).match(/^(export function .*)/ms) ?? [];
  const script = text.replace("export function", "return function").replaceAll(/: (usize|void)\b/g, "");
  Function(...Object.keys(globals), script)(...Object.values(globals))(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4, 0);
  return memory.slice(7, 10) as Three;
}

/** The body of the one function of a kernel in WGSL. */
export const wgslBody = (kernel: Kernel): string => printWgsl([kernel]).match(/-> vec3f \{\n(.*?)\n\}/s)?.[1] ?? "";

function runWgsl(kernel: Kernel, values: Numbers): Three {
  const globals = {
    abs: Math.abs,
    exp_f32: Math.exp,
    log_f32: Math.log,
    expm1: Math.expm1,
    log1p: Math.log1p,
    exp_neg_abs: expNegAbs,
    softplus_log: softplusLog,
    max: lane.pmax,
    min: lane.pmin,
    select: (otherwise: number, then: number, test: boolean) => chosen(test, then, otherwise),
    vec3f: (...xyz: Three) => xyz,
    k: constantsOf(kernel, values),
  };
  const { a = 0, c = 0, chosenLength = 1, rejectedLength = 1, rewardMargin = 0 } = values;
  const inputs = { a, c, chosenLength, rejectedLength, rewardMargin };
  return Function(
    ...Object.keys(globals),
    ...Object.keys(inputs),
    wgslBody(kernel),
  )(...Object.values(globals), ...Object.values(inputs));
}

/** The operations of the printed text, each by its text; names and places of constants are none. */
export function operationsOf(kernel: Kernel): string[] {
  const body = wgslBody(kernel);
  const found: string[] = [];
  const visit = (ast: Ast): void => {
    if (ast.type === "UnaryExpression") visit(ast.argument);
    if (ast.type === "BinaryExpression") [ast.left as Ast, ast.right].forEach(visit);
    if (ast.type === "CallExpression") (ast.arguments as Ast[]).forEach(visit);
    if (["UnaryExpression", "BinaryExpression", "CallExpression"].includes(ast.type)) {
      found.push(body.slice(ast.start, ast.end));
    }
  };
  for (const line of parse(body, { ecmaVersion: 2022, allowReturnOutsideFunction: true }).body) {
    if (line.type === "VariableDeclaration") for (const { init } of line.declarations) init && visit(init);
    if (line.type === "ReturnStatement" && line.argument) visit(line.argument);
  }
  return found;
}

/** What a list holds more than once. */
export const repeated = (list: readonly string[]): string[] => list.filter((item, i) => list.indexOf(item) !== i);

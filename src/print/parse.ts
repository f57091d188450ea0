// Reads the function of a definition into expressions. Refuses, with file and line, whatever cannot be printed in every
// target or would mean something else there.

import type { AnyNode, Expression as Ast, CallExpression, Pattern } from "acorn";
import { type Expression, type Fn, type Graph, isTest, type Op } from "./expression.ts";
import { exp, logistic } from "./logistic.ts";
import { type Definition, refuse } from "./source.ts";

const arity = new Map(Object.entries({ abs: 1, exp: 1, expm1: 1, log: 1, log1p: 1, max: 2, min: 2 }));
const arithmetic = ["+", "-", "*", "/"];
const comparisons = [">", ">=", "<", "<=", "==="];

const LANGUAGE =
  "what every target can print: const, + - * /, comparisons, ?:, numbers, Math.abs exp expm1 log log1p max min, " +
  "and sigmoid, softplus, logsigmoid, softplusLog, log1mexpDiff from losses/math.ts";

/** The expressions that a definition returns, given those of its arguments. */
export function parseFunction(
  { fn, imported, source }: Definition,
  graph: Graph,
  args: readonly Expression[],
): Expression[] {
  const scope = new Map<string, Expression>();
  const no: (at: AnyNode, got: string, expected?: string) => never = (at, got, expected = LANGUAGE) =>
    refuse(source, at, `expected ${expected}, got ${got}`);

  const bind = (pattern: Pattern, value: Expression | undefined): void => {
    if (pattern.type !== "Identifier") no(pattern, "a pattern", "a name");
    if (!value) no(pattern, pattern.name, `${args.length} arguments at most`);
    scope.set(pattern.name, value);
  };

  // A comparison is a mask in SIMD and a boolean elsewhere: it may choose, but not be reckoned with.
  const number = (ast: Ast): Expression => {
    const node = read(ast);
    return isTest(node) ? no(ast, "a comparison", "a number") : node;
  };
  const test = (ast: Ast): Expression => {
    const node = read(ast);
    return isTest(node) ? node : no(ast, "a number", "a comparison before ?");
  };

  const read = (ast: Ast): Expression => {
    switch (ast.type) {
      case "Literal":
        return Number.isFinite(ast.value) ? graph.number(ast.value as number) : no(ast, String(ast.raw));
      case "Identifier":
        return scope.get(ast.name) ?? no(ast, `${ast.name}, which is neither an argument nor a const of the function`);
      case "UnaryExpression":
        return ast.operator === "-" ? graph.neg(number(ast.argument)) : no(ast, ast.operator);
      case "BinaryExpression": {
        const { left, operator, right } = ast;
        if (left.type === "PrivateIdentifier") return no(ast, "#");
        if (![...arithmetic, ...comparisons].includes(operator)) return no(ast, operator);
        return graph.op(operator as Op, number(left), number(right));
      }
      case "ConditionalExpression":
        return graph.select(test(ast.test), number(ast.consequent), number(ast.alternate));
      case "CallExpression":
        return call(ast);
      default:
        return no(ast, ast.type);
    }
  };

  const call = (ast: CallExpression): Expression => {
    const { callee } = ast;
    const values = ast.arguments.map((arg) => (arg.type === "SpreadElement" ? no(arg, "...") : number(arg)));
    const [x] = values;
    const takes = (count: number, name: string): void => {
      if (values.length !== count)
        no(ast, String(values.length), `${count} ${count === 1 ? "argument" : "arguments"} of ${name}`);
    };
    if (callee.type === "Identifier") {
      const { name } = callee;
      const expand = scope.has(name) ? undefined : logistic.get(imported.get(name) ?? "");
      if (!expand) return no(ast, `${name}()${arity.has(name) ? `: write Math.${name}` : ""}`);
      takes(expand.length - 1, name);
      return expand(graph, x as Expression, values[1] as Expression);
    }
    const name = mathName(callee as Ast);
    const count = name === undefined || scope.has("Math") ? undefined : arity.get(name);
    if (name === undefined || count === undefined) return no(ast, `a call of ${textOf(callee)}`);
    takes(count, `Math.${name}`);
    if (name === "exp") return exp(graph, x as Expression);
    const node = graph.call(name as Fn, ...(values as [Expression, ...Expression[]]));
    if (node.uniform) return node;
    if (name === "log") return no(ast, "Math.log of more than hyperparameters, for which there is no kernel");
    if (name === "log1p" && !(isExpNegAbs(x) || isHeld(x))) {
      return no(ast, textOf(ast), "Math.log1p of Math.exp(-Math.abs(…)), or of Math.max(Math.min(…, 1), -0.5), only");
    }
    return node;
  };

  const textOf = ({ start, end }: AnyNode): string => source.text.slice(start, end);

  const results = (ast: Ast): Expression[] => {
    if (ast.type !== "ArrayExpression") return no(ast, textOf(ast), "an array of results");
    return ast.elements.map((x) => (x && x.type !== "SpreadElement" ? number(x) : no(ast, textOf(ast), "numbers")));
  };

  for (const [i, param] of fn.params.entries()) bind(param, args[i]);
  if (fn.body.type !== "BlockStatement") return results(fn.body);
  const lines = fn.body.body;
  const last = lines.at(-1);
  for (const line of lines.slice(0, -1)) {
    if (line.type !== "VariableDeclaration" || line.kind !== "const") return no(line, textOf(line));
    for (const { id, init } of line.declarations) {
      if (!init) return no(id, "no value", "a value");
      const value = read(init);
      bind(id, value);
      if (id.type === "Identifier") graph.named(value, id.name);
    }
  }
  if (last?.type !== "ReturnStatement" || !last.argument) return no(last ?? fn, "no return at its end", "a result");
  return results(last.argument);
}

const isExpNegAbs = (node: Expression | undefined): boolean => node?.kind === "call" && node.fn === "expNegAbs";

// The series of log1p converges on [−½, 1]: a number that is held there has a kernel.
function isHeld(node: Expression | undefined): boolean {
  if (node?.kind !== "call" || node.fn !== "max") return false;
  const [inner, least] = node.args;
  if (inner?.kind !== "call" || inner.fn !== "min" || least?.kind !== "number" || least.value < -0.5) return false;
  const most = inner.args[1];
  return most?.kind === "number" && most.value <= 1;
}

function mathName(callee: Ast): string | undefined {
  if (callee.type !== "MemberExpression" || callee.computed) return undefined;
  const { object, property } = callee;
  const isMath = object.type === "Identifier" && object.name === "Math";
  return isMath && property.type === "Identifier" ? property.name : undefined;
}

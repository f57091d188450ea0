// Reads the text of a definition's function into expressions. Refuses, with the definition's name, whatever cannot be
// printed in every target.

import { type Expression, type Program, parse } from "acorn";
import type { Fn, Graph, Node, Op } from "./expression.ts";

const operators: readonly string[] = ["+", "-", "*", "/", ">", ">=", "<", "<=", "==="] satisfies Op[];
const functions: readonly string[] = ["abs", "exp", "expm1", "log", "log1p", "max", "min"] satisfies Fn[];

type Scope = Map<string, Node>;

/** The expressions that `fn` returns, given the nodes of its arguments. */
export function parseFunction(
  fn: (...args: never[]) => unknown,
  graph: Graph,
  args: readonly Node[],
  of: string,
): Node[] {
  const refuse = (what: string): never => {
    throw new Error(`${of}: ${what} cannot be printed as a kernel (const, + - * /, comparisons, ?:, Math functions)`);
  };
  const program: Program = parse(`(${fn})`, { ecmaVersion: 2022 });
  const statement = program.body[0];
  if (statement?.type !== "ExpressionStatement" || statement.expression.type !== "ArrowFunctionExpression") {
    return refuse("anything but an arrow function");
  }
  const { params, body } = statement.expression;
  const scope: Scope = new Map();
  for (const [i, param] of params.entries()) {
    const arg = args[i];
    if (param.type !== "Identifier" || !arg) return refuse(`argument ${i}`);
    scope.set(param.name, arg);
  }

  const read = (node: Expression): Node => {
    switch (node.type) {
      case "ParenthesizedExpression":
        return read(node.expression);
      case "Literal":
        return typeof node.value === "number" ? graph.number(node.value) : refuse(String(node.raw));
      case "Identifier":
        return scope.get(node.name) ?? refuse(node.name);
      case "UnaryExpression":
        return node.operator === "-" ? graph.neg(read(node.argument)) : refuse(node.operator);
      case "BinaryExpression": {
        const { left, operator, right } = node;
        if (!isOneOf(operators, operator) || left.type === "PrivateIdentifier") return refuse(operator);
        return graph.op(operator as Op, read(left), read(right));
      }
      case "ConditionalExpression":
        return graph.select(read(node.test), read(node.consequent), read(node.alternate));
      case "CallExpression": {
        const name = calleeName(node.callee as Expression) ?? refuse("a call of a computed function");
        const values = node.arguments.map((arg) => (arg.type === "SpreadElement" ? refuse("...") : read(arg)));
        const [x] = values;
        const expanded = x && graph.expand(name, x);
        if (expanded) return expanded;
        return isOneOf(functions, name) ? graph.call(name as Fn, ...values) : refuse(`${name}()`);
      }
      default:
        return refuse(node.type);
    }
  };

  const results = (node: Expression): Node[] => {
    if (node.type !== "ArrayExpression") return refuse(`a result of type ${node.type}`);
    return node.elements.map((x) => (x && x.type !== "SpreadElement" ? read(x) : refuse("a hole in the result")));
  };

  if (body.type !== "BlockStatement") return results(body);
  for (const line of body.body) {
    if (line.type === "ReturnStatement" && line.argument) return results(line.argument);
    if (line.type !== "VariableDeclaration" || line.kind !== "const") return refuse(line.type);
    for (const { id, init } of line.declarations) {
      if (id.type !== "Identifier" || !init) return refuse("a pattern");
      const value = read(init);
      if (value.kind !== "number" && value.kind !== "param" && value.kind !== "input") value.name ??= id.name;
      scope.set(id.name, value);
    }
  }
  return refuse("a function without a result");
}

const isOneOf = (list: readonly string[], name: string): boolean => list.includes(name);

// `Math.exp` and the bare `sigmoid` alike.
function calleeName(callee: Expression): string | undefined {
  if (callee.type === "Identifier") return callee.name;
  if (callee.type !== "MemberExpression" || callee.computed) return undefined;
  const { object, property } = callee;
  return object.type === "Identifier" && object.name === "Math" && property.type === "Identifier"
    ? property.name
    : undefined;
}

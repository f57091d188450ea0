// sigmoid, softplus and logsigmoid of ±x in terms of the one exponential that they share, e^-|x|: twins of
// src/losses/math.ts. An exponential of -|x| that a definition writes out is the same node.

import type { Expression, Graph, OfKind } from "./expression.ts";

type Expand = (graph: Graph, x: Expression) => Expression;

const isAbs = (node: Expression): node is OfKind<"call"> => node.kind === "call" && node.fn === "abs";

/** `name_x`, for a function of ±x. */
function hinted(graph: Graph, node: Expression, name: string, x: Expression): Expression {
  const of = graph.nameOf(x.kind === "neg" ? x.args[0] : x);
  return graph.named(node, of ? `${name}_${of}` : name);
}

const unsigned = (x: Expression): Expression => (x.kind === "neg" || isAbs(x) ? unsigned(x.args[0]) : x);

const expNegAbs: Expand = (graph, x) => hinted(graph, graph.call("expNegAbs", unsigned(x)), "e", unsigned(x));

const log1pExp: Expand = (graph, x) => hinted(graph, graph.call("log1p", expNegAbs(graph, x)), "log1p", x);

export const exp: Expand = (graph, x) =>
  x.kind === "neg" && isAbs(x.args[0]) ? expNegAbs(graph, x) : graph.call("exp", x);

const sigmoid: Expand = (graph, x) => {
  const e = expNegAbs(graph, x);
  const one = graph.number(1);
  const inverse = hinted(graph, graph.op("/", one, graph.op("+", one, e)), "inverse", x);
  const [base, above, below] = x.kind === "neg" ? [x.args[0], e, one] : [x, one, e];
  const numerator = isAbs(base) ? above : graph.select(graph.op(">=", base, graph.number(0)), above, below);
  return hinted(graph, graph.op("*", numerator, inverse), x.kind === "neg" ? "sigmoid_neg" : "sigmoid", x);
};

const softplus: Expand = (graph, x) => {
  const zero = graph.number(0);
  if (x.kind !== "neg") return graph.op("+", graph.call("max", x, zero), log1pExp(graph, x));
  return graph.op("-", log1pExp(graph, x), graph.call("min", x.args[0], zero));
};

const logsigmoid: Expand = (graph, x) => graph.neg(softplus(graph, graph.neg(x)));

const softplusLog: Expand = (graph, x) => graph.call("softplusLog", x);

const log1mexpDiff = (graph: Graph, a: Expression, c: Expression): Expression => {
  const rest = (x: Expression): Expression => graph.neg(graph.call("expm1", x));
  const isNegative = graph.op("<", graph.call("min", rest(a), rest(c)), graph.number(0));
  const quotient = graph.call("abs", graph.op("/", rest(c), rest(a)));
  return graph.call("log", graph.select(isNegative, graph.number(-1), quotient));
};

/** What a definition may import from src/losses/math.ts; of one argument, but for log1mexpDiff. */
export const logistic: ReadonlyMap<string, (graph: Graph, ...args: [Expression, Expression]) => Expression> = new Map(
  Object.entries({ sigmoid, softplus, logsigmoid, softplusLog, log1mexpDiff }),
);

// The expressions of a definition as a graph: equal subexpressions are one frozen node, so each is computed once. Neither
// asc, wasm-opt nor V8 merges them (measured: one shared exponential instead of two is worth 20 to 35 %).

export type Op = "+" | "-" | "*" | "/" | ">" | ">=" | "<" | "<=" | "===";
export type Fn = "abs" | "exp" | "expm1" | "log" | "log1p" | "max" | "min" | "expNegAbs" | "softplusLog";

type Shape =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "param"; readonly name: string }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "neg"; readonly args: readonly [Expression] }
  | { readonly kind: "op"; readonly op: Op; readonly args: readonly [Expression, Expression] }
  | { readonly kind: "call"; readonly fn: Fn; readonly args: readonly [Expression, ...Expression[]] }
  | { readonly kind: "select"; readonly args: readonly [test: Expression, then: Expression, otherwise: Expression] };

export type Expression = Shape & {
  readonly id: number;
  /** Depends on hyperparameters alone: the host computes it once per call, in float64. */
  readonly uniform: boolean;
};

export type Kind = Expression["kind"];
export type OfKind<K extends Kind> = Extract<Expression, { kind: K }>;

export const argsOf = (node: Shape): readonly Expression[] => ("args" in node ? node.args : []);

export const isNumber = (node: Expression, value: number): boolean =>
  node.kind === "number" && Object.is(node.value, value);

export const isTest = (node: Expression): boolean =>
  node.kind === "op" && [">", ">=", "<", "<=", "==="].includes(node.op);

/** Makes expressions, each shape once, and keeps the names that definitions give them. */
export type Graph = ReturnType<typeof createGraph>;

export function createGraph() {
  const nodes = new Map<string, Expression>();
  const names = new Map<Expression, string>();

  function node(shape: Shape): Expression {
    const args = argsOf(shape);
    const key = keyOf(shape);
    const known = nodes.get(key);
    if (known) return known;
    const uniform = shape.kind !== "input" && args.every((arg) => arg.uniform);
    const made: Expression = Object.freeze({ ...shape, id: nodes.size, uniform });
    Object.freeze(args);
    nodes.set(key, made);
    return made;
  }

  const number = (value: number): Expression => node({ kind: "number", value });

  function neg(x: Expression): Expression {
    if (x.kind === "neg") return x.args[0];
    if (x.kind === "number") return number(-x.value);
    return node({ kind: "neg", args: [x] });
  }

  function op(symbol: Op, x: Expression, y: Expression): Expression {
    // A quotient by a hyperparameter is a product with its reciprocal, which the host computes in float64.
    if (symbol === "/" && y.uniform && !x.uniform) return op("*", x, op("/", number(1), y));
    if (symbol === "/" && isNumber(y, 1)) return x;
    if (symbol === "-" && x === y && x.kind === "number") return number(0);
    if (symbol === "+" && isNumber(x, 0)) return y;
    if (symbol === "*" && isNumber(x, 1)) return y;
    if (symbol === "*" && isNumber(y, 1)) return x;
    if (symbol === "*" && isNumber(x, -1)) return neg(y);
    if (symbol === "*" && isNumber(y, -1)) return neg(x);
    // a + b and b + a are one node.
    const commutes = symbol === "+" || symbol === "*";
    const swapped = commutes && nodes.get(keyOf({ kind: "op", op: symbol, args: [y, x] }));
    return swapped || node({ kind: "op", op: symbol, args: [x, y] });
  }

  const nameOf = (x: Expression): string | undefined =>
    x.kind === "param" || x.kind === "input" ? x.name : names.get(x);

  return {
    number,
    param: (name: string): Expression => node({ kind: "param", name }),
    input: (name: string): Expression => node({ kind: "input", name }),
    neg,
    op,
    call: (fn: Fn, ...args: [Expression, ...Expression[]]): Expression =>
      fn === "max" && args[0] === args[1] ? args[0] : node({ kind: "call", fn, args }),
    select(test: Expression, then: Expression, otherwise: Expression): Expression {
      const known = outcomeOf(test);
      if (known !== undefined) return known ? then : otherwise;
      return node({ kind: "select", args: [test, then, otherwise] });
    },
    /** The name that printed code should give an expression, if it has to name it. The first one given stays. */
    nameOf,
    named(x: Expression, name: string): Expression {
      if (nameOf(x) === undefined && x.kind !== "number") names.set(x, name);
      return x;
    },
  };
}

const comparisons: Partial<Record<Op, (x: number, y: number) => boolean>> = {
  ">": (x, y) => x > y,
  ">=": (x, y) => x >= y,
  "<": (x, y) => x < y,
  "<=": (x, y) => x <= y,
  "===": (x, y) => x === y,
};

/** What a test of two numbers says. */
function outcomeOf(test: Expression): boolean | undefined {
  if (test.kind !== "op") return undefined;
  const [x, y] = test.args;
  return x.kind === "number" && y.kind === "number" ? comparisons[test.op]?.(x.value, y.value) : undefined;
}

const keyOf = (shape: Shape): string => `${labelOf(shape)}(${argsOf(shape).map(({ id }) => id)})`;

function labelOf(shape: Shape): string {
  switch (shape.kind) {
    case "number":
      return Object.is(shape.value, -0) ? "-0" : String(shape.value);
    case "param":
    case "input":
      return `${shape.kind} ${shape.name}`;
    case "op":
      return shape.op;
    case "call":
      return shape.fn;
    default:
      return shape.kind;
  }
}

/** factor · x with all hyperparameters of the product gathered into one constant; a negation stays outside. */
export function scaled(graph: Graph, factor: Expression, x: Expression): Expression {
  if (x.kind === "neg" && !x.uniform) return graph.neg(scaled(graph, factor, x.args[0]));
  const times = (product: Expression, f: Expression): Expression => graph.op("*", product, f);
  const [uniform, varying] = factors(graph, x);
  const constant = uniform.reduce(times, factor);
  const [first, ...others] = varying;
  return first ? times(constant, others.reduce(times, first)) : constant;
}

function factors(graph: Graph, x: Expression): [uniform: Expression[], varying: Expression[]] {
  if (x.uniform) return [[x], []];
  if (x.kind === "neg") {
    const [uniform, varying] = factors(graph, x.args[0]);
    return [[graph.number(-1), ...uniform], varying];
  }
  if (x.kind !== "op" || x.op !== "*") return [[], [x]];
  const [u0, v0] = factors(graph, x.args[0]);
  const [u1, v1] = factors(graph, x.args[1]);
  // A product without hyperparameters stays as it was written.
  if (u0.length + u1.length === 0) return [[], [x]];
  return [
    [...u0, ...u1],
    [...v0, ...v1],
  ];
}

/** Whether a NaN in the input always makes this a NaN: comparisons with NaN are false, max and min keep their first. */
export function carriesNaN(node: Expression, input: Expression): boolean {
  if (node === input) return true;
  if (node.kind === "select") {
    const [test, then, otherwise] = node.args;
    const otherwiseCarries = carriesNaN(otherwise, input);
    return argsOf(test).some((x) => carriesNaN(x, input))
      ? otherwiseCarries
      : otherwiseCarries && carriesNaN(then, input);
  }
  if (node.kind === "call") return carriesNaN(node.args[0], input);
  return argsOf(node).some((arg) => carriesNaN(arg, input));
}

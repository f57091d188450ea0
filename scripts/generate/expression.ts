// The expressions of a loss definition as a graph: equal subexpressions are one node, so each is computed once.
// Neither asc, wasm-opt nor V8 merges them (measured: one shared exponential instead of two is worth 20 to 35 %).

export type Op = "+" | "-" | "*" | "/" | ">" | ">=" | "<" | "<=" | "===";
export type Fn = "abs" | "exp" | "expm1" | "log" | "log1p" | "max" | "min" | "expNegAbs";

export type Shape =
  | { kind: "number"; value: number }
  | { kind: "param"; name: string }
  | { kind: "input"; name: string }
  | { kind: "neg"; args: readonly [Node] }
  | { kind: "op"; op: Op; args: readonly [Node, Node] }
  | { kind: "call"; fn: Fn; args: readonly Node[] }
  | { kind: "select"; args: readonly [test: Node, then: Node, otherwise: Node] };

export type Node = Shape & {
  readonly id: number;
  /** Depends on hyperparameters alone: computed once, in float64, by the caller. */
  readonly uniform: boolean;
  /** A name from the definition, or a hint, for the printed code. */
  name?: string;
};

export const argsOf = (node: Node): readonly Node[] => ("args" in node ? node.args : []);

/** Makes nodes, each shape once. */
export class Graph {
  readonly #nodes = new Map<string, Node>();

  node(shape: Shape): Node {
    const args = "args" in shape ? shape.args : [];
    const { args: _, ...label } = { args, ...shape };
    const key = `${JSON.stringify(label, (_, v) => (Object.is(v, -0) ? "-0" : v))}(${args.map((arg) => arg.id)})`;
    let node = this.#nodes.get(key);
    if (!node) {
      const uniform = shape.kind !== "input" && args.every((arg) => arg.uniform);
      node = { ...shape, id: this.#nodes.size, uniform };
      this.#nodes.set(key, node);
    }
    return node;
  }

  number = (value: number): Node => this.node({ kind: "number", value });
  param = (name: string): Node => this.node({ kind: "param", name });
  input = (name: string): Node => this.node({ kind: "input", name });
  call = (fn: Fn, ...args: Node[]): Node => this.node({ kind: "call", fn, args });
  select = (test: Node, then: Node, otherwise: Node): Node =>
    this.node({ kind: "select", args: [test, then, otherwise] });

  neg(x: Node): Node {
    if (x.kind === "neg") return x.args[0];
    if (x.kind === "number") return this.number(-x.value);
    return this.node({ kind: "neg", args: [x] });
  }

  op(op: Op, x: Node, y: Node): Node {
    // A quotient by a hyperparameter is a product with its reciprocal, which the caller computes in float64.
    if (op === "/" && y.uniform && !x.uniform) return this.op("*", x, this.op("/", this.number(1), y));
    if (op === "*" && isNumber(x, 1)) return y;
    if (op === "*" && isNumber(y, 1)) return x;
    if (op === "*" && isNumber(x, -1)) return this.neg(y);
    if (op === "*" && isNumber(y, -1)) return this.neg(x);
    return this.node({ kind: "op", op, args: [x, y] });
  }

  /** factor · x with all hyperparameters of the product gathered into one constant; a negation stays outside. */
  scaled(factor: Node, x: Node): Node {
    if (x.kind === "neg" && !x.uniform) return this.neg(this.scaled(factor, x.args[0]));
    const [uniform, varying] = this.#factors(x);
    const constant = uniform.reduce((product, f) => this.op("*", product, f), factor);
    const [first, ...others] = varying;
    return first
      ? this.op(
          "*",
          constant,
          others.reduce((p, f) => this.op("*", p, f), first),
        )
      : constant;
  }

  #factors(x: Node): [uniform: Node[], varying: Node[]] {
    if (x.uniform) return [[x], []];
    if (x.kind === "neg") {
      const [uniform, varying] = this.#factors(x.args[0]);
      return [[this.number(-1), ...uniform], varying];
    }
    if (x.kind !== "op" || x.op !== "*") return [[], [x]];
    const [u0, v0] = this.#factors(x.args[0]);
    const [u1, v1] = this.#factors(x.args[1]);
    if (u0.length + u1.length === 0) return [[], [x]];
    return [
      [...u0, ...u1],
      [...v0, ...v1],
    ];
  }

  /** e^-|x|, the one exponential that sigmoid(±x), softplus(±x) and logsigmoid(±x) share. */
  expNegAbs(x: Node): Node {
    const unsigned = (y: Node): Node => (y.kind === "neg" || isAbs(y) ? unsigned(y.args[0] as Node) : y);
    return hint(this.call("expNegAbs", unsigned(x)), "e", unsigned(x));
  }

  /** The three functions of the logistic family, and exp(-|x|) written out, in terms of it. */
  expand(fn: string, x: Node): Node | undefined {
    if (fn === "exp" && x.kind === "neg" && isAbs(x.args[0])) return this.expNegAbs(x);
    if (fn === "sigmoid") {
      const e = this.expNegAbs(x);
      const one = this.number(1);
      const inverse = hint(this.op("/", one, this.op("+", one, e)), "inverse", x);
      const [base, above, below] = x.kind === "neg" ? [x.args[0], e, one] : [x, one, e];
      const numerator = isAbs(base) ? above : this.select(this.op(">=", base, this.number(0)), above, below);
      return hint(this.op("*", numerator, inverse), x.kind === "neg" ? "sigmoid_neg" : "sigmoid", x);
    }
    const log1p = (): Node => hint(this.call("log1p", this.expNegAbs(x)), "log1p", x);
    if (fn === "softplus") {
      if (x.kind !== "neg") return this.op("+", this.call("max", x, this.number(0)), log1p());
      return this.op("-", log1p(), this.call("min", x.args[0], this.number(0)));
    }
    return fn === "logsigmoid" ? this.neg(this.expand("softplus", this.neg(x)) as Node) : undefined;
  }
}

const isAbs = (node: Node): node is Node & { kind: "call" } => node.kind === "call" && node.fn === "abs";

export const isNumber = (node: Node, value: number): boolean => node.kind === "number" && Object.is(node.value, value);

function hint(node: Node, name: string, x: Node): Node {
  const of = x.kind === "neg" ? x.args[0] : x;
  node.name ??= of.name ? `${name}_${of.name}` : name;
  return node;
}

/** Whether a NaN in the input always makes this a NaN: comparisons with NaN are false, max and min keep their first. */
export function carriesNaN(node: Node, input: Node): boolean {
  if (node === input) return true;
  if (node.kind === "select") {
    const [test, then, otherwise] = node.args;
    const otherwiseCarries = carriesNaN(otherwise, input);
    return argsOf(test).some((x) => carriesNaN(x, input))
      ? otherwiseCarries
      : otherwiseCarries && carriesNaN(then, input);
  }
  if (node.kind === "call") return node.args[0] !== undefined && carriesNaN(node.args[0], input);
  return argsOf(node).some((arg) => carriesNaN(arg, input));
}

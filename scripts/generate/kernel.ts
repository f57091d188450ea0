// From a definition to what a kernel computes: inputs, constants, three outputs. Shared by all printers.

import { type Margin, reverseKl } from "../../src/divergences.ts";
import type { MarginLoss, PairLoss } from "../../src/losses/define.ts";
import { argsOf, carriesNaN, Graph, type Node } from "./expression.ts";
import { parseFunction } from "./parse.ts";

export interface Kernel {
  readonly name: string;
  readonly source: string;
  readonly title: string;
  readonly lengths: boolean;
  readonly params: readonly string[];
  /** Expressions of hyperparameters and numbers, computed by the caller in float64 and rounded once. */
  readonly constants: readonly Node[];
  readonly outputs: readonly [Node, Node, Node];
  /** Which outputs a NaN input might leave finite, so that the kernel has to make them NaN as well. */
  readonly leaks: readonly [boolean, boolean, boolean];
  /** Nodes to name before the outputs, in an order in which each comes after what it uses. */
  readonly steps: readonly Node[];
}

/** The kernel of a loss: loss, and dLoss/da, dLoss/dc times `gradScale`, its first hyperparameter. */
export function lossKernel(loss: MarginLoss | PairLoss, source: string): Kernel {
  const graph = new Graph();
  const a = graph.input("a");
  const c = graph.input("c");
  const names = Object.keys(loss.params);
  const params = names.map(graph.param);
  const results = "pair" in loss ? parsePair(loss, graph, a, c, params) : parseMargin(loss, graph, a, c, params);
  const [value, da, dc] = triple(results, loss.id);
  for (const input of [a, c]) {
    if (!carriesNaN(value, input)) throw new Error(`${loss.id}: the loss would lose a NaN in ${nameOf(input)}`);
  }
  const gradScale = graph.param("gradScale");
  const outputs = [value, graph.scaled(gradScale, da), graph.scaled(gradScale, dc)] as const;
  ["chosenScale", "rejectedScale"].forEach((name, i) => {
    const scale = argsOf(outputs[i + 1] as Node)[0];
    if (scale?.uniform) scale.name ??= name;
  });
  const lengths = "margin" in loss && loss.normalised === true;
  return kernel(`pair_${loss.id}`, source, loss.title, lengths, ["gradScale", ...names], outputs, [a, c]);
}

/** The kernel of an f-divergence: margin and its two derivatives, unscaled. */
export function marginKernel(name: string, margin: Margin, constants: readonly string[], source: string): Kernel {
  const graph = new Graph();
  const inputs = ["a", "c", "chosenLength", "rejectedLength"].map(graph.input);
  const results = parseFunction(margin, graph, [...inputs, ...constants.map(graph.param)], name);
  return kernel(`margin_${name}`, source, "", true, constants, triple(results, name), []);
}

function parsePair(loss: PairLoss, graph: Graph, a: Node, c: Node, params: readonly Node[]): Node[] {
  return parseFunction(loss.pair, graph, [a, c, ...params], loss.id);
}

function parseMargin(loss: MarginLoss, graph: Graph, a: Node, c: Node, params: readonly Node[]): Node[] {
  let d = graph.op("-", a, c);
  let [da, dc] = [graph.number(1), graph.number(-1)];
  if (loss.normalised) {
    const lengths = ["chosenLength", "rejectedLength"].map(graph.input);
    [d, da, dc] = triple(parseFunction(reverseKl, graph, [a, c, ...lengths], "reverseKl"), loss.id);
  }
  d.name ??= "d";
  const [value, slope] = parseFunction(loss.margin, graph, [d, ...params], loss.id);
  if (!value || !slope) throw new Error(`${loss.id}: expected [loss, slope]`);
  return [value, graph.op("*", slope, da), graph.op("*", slope, dc)];
}

function triple([x, y, z]: readonly Node[], of: string): [Node, Node, Node] {
  if (!x || !y || !z) throw new Error(`${of}: expected three results`);
  return [x, y, z];
}

function kernel(
  name: string,
  source: string,
  title: string,
  lengths: boolean,
  params: readonly string[],
  outputs: readonly [Node, Node, Node],
  nanInputs: readonly Node[],
): Kernel {
  const uses = new Map<Node, number>();
  const order: Node[] = [];
  const constants: Node[] = [];
  const visit = (node: Node): void => {
    const seen = uses.get(node) ?? 0;
    uses.set(node, seen + 1);
    if (seen > 0) return;
    if (node.uniform && !isTest(node)) {
      if (!(node.kind === "number" && node.value === 0)) constants.push(node);
      return;
    }
    argsOf(node).forEach(visit);
    order.push(node);
  };
  outputs.forEach(visit);
  const steps = order.filter(
    (node) => node.kind !== "input" && (node.name !== undefined || (uses.get(node) ?? 0) > 1 || node.uniform),
  );
  nameAll(constants, steps);
  const leak = (output: Node): boolean => nanInputs.some((input) => !carriesNaN(output, input));
  const leaks = [false, leak(outputs[1]), leak(outputs[2])] as const;
  return { name, source, title, lengths, params, constants, outputs, leaks, steps };
}

// Every constant and step has a name of its own: the definition's where it gave one.
function nameAll(constants: readonly Node[], steps: readonly Node[]): void {
  const taken = new Set(["a", "c", "i", "n", "end", "rest", "zero", "nan", "loss", "constants"]);
  const claim = (node: Node, wanted: string): void => {
    let name = wanted;
    for (let i = 1; taken.has(name); i++) name = `${wanted}${i}`;
    taken.add(name);
    if (node.kind !== "param") node.name = name;
  };
  for (const node of constants) claim(node, node.name ?? (node.kind === "number" ? numberName(node.value) : "k"));
  for (const node of steps) claim(node, node.name ?? (node.uniform ? "when" : "t"));
}

const numberName = (value: number): string =>
  new Map([
    [1, "one"],
    [2, "two"],
    [0.5, "half"],
  ]).get(value) ?? "k";

export const isTest = (node: Node): boolean => node.kind === "op" && [">", ">=", "<", "<=", "==="].includes(node.op);

const nameOf = (node: Node): string => ("name" in node ? String(node.name) : node.kind);

/** The text of an expression of hyperparameters, in TypeScript. */
export function hostText(node: Node): string {
  switch (node.kind) {
    case "number":
      return String(node.value);
    case "param":
    case "input":
      return node.name;
    case "neg":
      return `-${wrapped(node.args[0])}`;
    case "op":
      return `${wrapped(node.args[0])} ${node.op} ${wrapped(node.args[1])}`;
    case "call":
      return `Math.${node.fn}(${node.args.map(hostText).join(", ")})`;
    case "select":
      return `${node.args
        .map(wrapped)
        .join(" ? ")
        .replace(/ \? (?=[^?]*$)/, " : ")}`;
  }
}

const wrapped = (node: Node): string => {
  const bare = node.kind !== "op" && node.kind !== "select" && !(node.kind === "number" && node.value < 0);
  return bare ? hostText(node) : `(${hostText(node)})`;
};

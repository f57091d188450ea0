// Finds the function of a definition in the text of its file, so that whatever cannot be printed is refused with its file
// and line. A definition holds no types (its parameters take theirs from defineLoss or Margin): a parser of JavaScript reads
// it where it stands.

import { type AnyNode, type ArrowFunctionExpression, type Expression, getLineInfo, parseExpressionAt } from "acorn";

export interface Source {
  readonly file: string;
  readonly text: string;
}

export interface Definition {
  readonly fn: ArrowFunctionExpression;
  /** Local name -> exported name of what its file imports from losses/math.ts. */
  readonly imported: ReadonlyMap<string, string>;
  readonly source: Source;
}

/** The function `key` of the loss `id`: `export const … = defineLoss({ id: "…", … })`. */
export function lossFunction(source: Source, id: string, key: string): Definition {
  for (const { expression } of exported(source, String.raw`\w+ = (?=defineLoss\()`)) {
    if (expression.type !== "CallExpression") continue;
    const [loss] = expression.arguments;
    if (loss?.type !== "ObjectExpression") continue;
    const part = (name: string): Expression | undefined =>
      loss.properties
        .filter((property) => property.type === "Property")
        .find((property) => property.key.type === "Identifier" && property.key.name === name)?.value;
    const named = part("id");
    if (named?.type !== "Literal" || named.value !== id) continue;
    return definition(source, part(key) ?? loss);
  }
  throw new Error(`${source.file}: expected export const … = defineLoss({ id: "${id}", … }), found none`);
}

/** The function that a file exports as a constant. */
export function exportedFunction(source: Source, name: string): Definition {
  for (const { expression } of exported(source, `${name}(?:: \\w+)? = `)) return definition(source, expression);
  throw new Error(`${source.file}: expected export const ${name} = …, found none`);
}

/** Throws with file, line and column of a node. */
export function refuse({ file, text }: Source, { start }: Pick<AnyNode, "start">, message: string): never {
  const { line, column } = getLineInfo(text, start);
  throw new Error(`${file}:${line}:${column + 1}: ${message}`);
}

function* exported(source: Source, pattern: string): Generator<{ expression: Expression }> {
  for (const { index, 0: text } of source.text.matchAll(new RegExp(`^export const ${pattern}`, "gm"))) {
    yield { expression: parsed(source, index + text.length) };
  }
}

function parsed(source: Source, start: number): Expression {
  try {
    return parseExpressionAt(source.text, start, { ecmaVersion: 2022 });
  } catch (error) {
    if (!(error instanceof SyntaxError && "pos" in error)) throw error;
    return refuse(source, { start: Number(error.pos) }, error.message.replace(/ \(\d+:\d+\)$/, ""));
  }
}

function definition(source: Source, fn: Expression): Definition {
  if (fn.type !== "ArrowFunctionExpression" || fn.async) {
    return refuse(source, fn, "expected an arrow function, which is printed as it is written here");
  }
  return { fn, imported: importedMath(source.text), source };
}

function importedMath(text: string): Map<string, string> {
  const imports = text.matchAll(/^import \{([^}]*)\} from "(?:\.\/|[^"]*\/losses\/)math\.ts";/gm);
  return new Map(
    [...imports].flatMap(([, list = ""]) =>
      list.split(",").flatMap((item): [string, string][] => {
        const [name = "", local = name] = item.trim().split(/ as /);
        return name ? [[local, name]] : [];
      }),
    ),
  );
}

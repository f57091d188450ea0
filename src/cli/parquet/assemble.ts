// Rows out of leaves: each value of a nested column from the levels of its leaves, as Dremel has it, one row after the other.

import type { SchemaTree } from "hyparquet/src/types.js";
import type { Cursor } from "./cursor.ts";
import type { Column, Leaf } from "./footer.ts";
import { elementIn, entryIn, repeatedIn, type Shape, text } from "./shape.ts";

interface Node {
  readonly shape: Shape;
  /** The places of its leaves. */
  readonly leaves: readonly number[];
  read(cursors: readonly Cursor[]): unknown;
}

/** What a column holds. */
export const shapeOf = ({ tree, leaves }: Column): Shape => nodeOf(tree, leaves).shape;

/** Throws, when it reads, where leaves of one structure disagree. */
export function assemble({ tree, leaves }: Column, cursors: readonly Cursor[]): () => unknown {
  const [only] = cursors;
  if (only && tree.children.length === 0 && tree.element.repetition_type !== "REPEATED") return only.take;
  const { read } = nodeOf(tree, leaves);
  return () => read(cursors);
}

/**
 * How a leaf's values are written. Bytes are text unless they are marked as something else; of whole numbers the older mark says all,
 * and hyparquet-writer's newer one is not read by others.
 */
function plainOf({ element }: Leaf): Shape {
  const { name: _, repetition_type: _own, field_id: _id, ...rest } = element;
  const { type, converted_type: converted, logical_type: logical } = rest;
  if (type === "BYTE_ARRAY" && converted !== "JSON" && converted !== "DECIMAL") return text;
  if (logical?.type !== "INTEGER") return { kind: "plain", element: rest };
  const { logical_type: _logical, ...others } = rest;
  const mark = `${logical.isSigned ? "" : "U"}INT_${logical.bitWidth}` as "INT_8";
  return { kind: "plain", element: { ...others, converted_type: mark } };
}

function nodeOf(tree: SchemaTree, leaves: Column["leaves"]): Node {
  let count = 0;

  /** A part of the schema at these levels: itself, where it is repeated or may be missing a list of what it is, or nothing. */
  function node(part: SchemaTree, definitions: number, repetitions: number): Node {
    const { repetition_type: repetition } = part.element;
    if (repetition === "REQUIRED") return content(part, definitions, repetitions);
    if (repetition === "REPEATED") return list(part, part, definitions, repetitions);
    const inner = content(part, definitions + 1, repetitions);
    return { ...inner, read: (cursors) => (isThere(inner, cursors, definitions + 1) ? inner.read(cursors) : null) };
  }

  /** What is there where a part of the schema is. */
  function content(part: SchemaTree, definitions: number, repetitions: number): Node {
    if (part.children.length === 0) return plain();
    const repeated = repeatedIn(part);
    if (!repeated) return struct(part, definitions, repetitions);
    const entry = entryIn(part, repeated);
    if (!entry) return list(repeated, elementIn(part, repeated), definitions, repetitions);
    return map(entry, repeat(struct(repeated, definitions + 1, repetitions + 1), definitions + 1, repetitions + 1));
  }

  function plain(): Node {
    const place = count++;
    const shape = plainOf(leaves[place] as Leaf);
    return { shape, leaves: [place], read: (cursors) => (cursors[place] as Cursor).take() };
  }

  function struct(part: SchemaTree, definitions: number, repetitions: number): Node {
    const fields = part.children.map((child) => [child.element.name, node(child, definitions, repetitions)] as const);
    return {
      shape: { kind: "struct", fields: fields.map(([name, { shape }]) => [name, shape]) },
      leaves: fields.flatMap(([, inner]) => inner.leaves),
      read: (cursors) => Object.fromEntries(fields.map(([name, { read }]) => [name, read(cursors)])),
    };
  }

  function list(repeated: SchemaTree, element: SchemaTree, definitions: number, repetitions: number): Node {
    const levels = [definitions + 1, repetitions + 1] as const;
    const inner = element === repeated ? content(element, ...levels) : node(element, ...levels);
    return repeat(inner, ...levels);
  }

  function map([key]: readonly [SchemaTree, SchemaTree], entries: Node): Node {
    const { of } = entries.shape as Shape & { kind: "list" };
    const [[, keyShape], [, valueShape]] = (of as Shape & { kind: "struct" }).fields as [
      readonly [string, Shape],
      readonly [string, Shape],
    ];
    const isText = /^(STRING|UTF8|ENUM)$/.test(key.element.logical_type?.type ?? key.element.converted_type ?? "");
    const pairOf = (entry: unknown): [string, unknown] => Object.values(entry as object) as [string, unknown];
    return {
      shape: { kind: "map", key: keyShape, value: valueShape },
      leaves: entries.leaves,
      read(cursors) {
        const pairs = (entries.read(cursors) as unknown[]).map(pairOf);
        return isText ? Object.fromEntries(pairs) : pairs.map(([key, value]) => ({ key, value }));
      },
    };
  }

  return node(tree, 0, 0);
}

/** A list of what a node reads, whose values have these levels. */
function repeat(inner: Node, definitions: number, repetitions: number): Node {
  const [first = 0] = inner.leaves;
  return {
    shape: { kind: "list", of: inner.shape },
    leaves: inner.leaves,
    read(cursors) {
      if (!isThere(inner, cursors, definitions)) return [];
      const values: unknown[] = [];
      do values.push(inner.read(cursors));
      while (goesOn(inner, cursors, (cursors[first] as Cursor).repetition(), repetitions));
      return values;
    },
  };
}

/** Whether a list goes on with the next value: all of its leaves must say the same. */
function goesOn({ leaves }: Node, cursors: readonly Cursor[], level: number, repetitions: number): boolean {
  const disagree = leaves.some((place) => (cursors[place] as Cursor).repetition() !== level);
  if (disagree || level > repetitions) throw new Error("the lists of a structure are not of one length");
  return level === repetitions;
}

/** Whether something has all the steps to it; if not, the next value of each of its leaves says so, and is passed over. */
function isThere({ leaves }: Node, cursors: readonly Cursor[], definitions: number): boolean {
  const [first = 0] = leaves;
  const level = (cursors[first] as Cursor).definition();
  const isIt = level >= definitions;
  for (const place of leaves) {
    const cursor = cursors[place] as Cursor;
    const own = cursor.definition();
    if (isIt ? own < definitions : own !== level) throw new Error("the parts of a structure disagree");
    if (!isIt) cursor.take();
  }
  return isIt;
}

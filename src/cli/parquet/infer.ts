// What a column of Parquet is to hold, from the values that it is to hold: those of JSON, one after the other.

import { type Shape, text } from "./shape.ts";

/** What has been seen of values that stand in one place. */
interface Seen {
  readonly plain: Set<string>;
  elements?: Seen;
  fields?: Map<string, Seen>;
}

/** Values of several kinds, and objects without fields or with too many, are text in JSON, which any of them can be. */
const json: Shape = { kind: "plain", element: { type: "BYTE_ARRAY", converted_type: "JSON" } };

const plainShapes: Readonly<Record<string, Shape>> = {
  number: { kind: "plain", element: { type: "DOUBLE" } },
  bigint: { kind: "plain", element: { type: "INT64" } },
  boolean: { kind: "plain", element: { type: "BOOLEAN" } },
  string: text,
};

/** More fields than these are keys of a dictionary. */
const mostFields = 64;

/** Trainers parse these where they are text, and would take the nulls that columns put into them for part of a schema. */
const keptAsJson = ["tools"];

const nothing = (): Seen => ({ plain: new Set() });

function see(seen: Seen, value: unknown): void {
  if (value === null || value === undefined) return;
  if (typeof value !== "object") {
    seen.plain.add(typeof value);
  } else if (Array.isArray(value)) {
    seen.elements ??= nothing();
    for (const element of value) see(seen.elements, element);
  } else {
    seen.fields ??= new Map();
    for (const [name, part] of Object.entries(value)) {
      const field = seen.fields.get(name) ?? nothing();
      if (seen.fields.size <= mostFields) seen.fields.set(name, field);
      see(field, part);
    }
  }
}

function shapeOf({ plain, elements, fields }: Seen, empty: Shape): Shape {
  const kinds = plain.size + (elements ? 1 : 0) + (fields ? 1 : 0);
  if (kinds > 1) return json;
  if (elements) return { kind: "list", of: shapeOf(elements, text) };
  if (fields) {
    const shapes = [...fields].map(([name, field]) => [name, shapeOf(field, text)] as const);
    return fields.size === 0 || fields.size > mostFields ? json : { kind: "struct", fields: shapes };
  }
  const [kind] = plain;
  return kind === undefined ? empty : (plainShapes[kind] ?? json);
}

/** Gathers the values of rows, whose columns it names in the order in which they appear. */
export function gatherShapes() {
  const columns = new Map<string, Seen>();
  return {
    add(row: Readonly<Record<string, unknown>>): void {
      for (const [name, value] of Object.entries(row)) {
        if (typeof value === "symbol") continue;
        const seen = columns.get(name) ?? nothing();
        columns.set(name, seen);
        see(seen, value);
      }
    },
    shapes(): Map<string, Shape> {
      const number = plainShapes["number"] as Shape;
      return new Map(
        [...columns].map(([name, seen]) => {
          const shape = shapeOf(seen, number);
          return [name, keptAsJson.includes(name) && shape.kind !== "plain" ? json : shape];
        }),
      );
    },
  };
}

/** In what a value is not of its column's shape: where, and what was expected there; undefined if it is. */
export function misfit(value: unknown, shape: Shape, where: string): string | undefined {
  if (value === null || value === undefined) return undefined;
  switch (shape.kind) {
    case "plain": {
      const { type, converted_type: converted } = shape.element;
      const kind = Object.entries(plainShapes).find(
        ([, one]) => one.kind === "plain" && one.element.type === type,
      )?.[0];
      const isRight = converted === "JSON" || kind === undefined || typeof value === kind;
      return isRight || converted === "DECIMAL" ? undefined : `${where} holds other than ${kind}s`;
    }
    case "list": {
      if (!Array.isArray(value)) return `${where} holds other than lists`;
      return first(value, (element) => misfit(element, shape.of, where));
    }
    case "map":
      return undefined;
    case "struct": {
      if (typeof value !== "object" || Array.isArray(value)) return `${where} holds other than objects`;
      const known = new Map(shape.fields);
      return first(Object.entries(value), ([name, part]) => {
        const field = known.get(name);
        return field ? misfit(part, field, `${where}.${name}`) : `${where}.${name} appears`;
      });
    }
  }
}

function first<T, R>(values: readonly T[], of: (value: T) => R | undefined): R | undefined {
  for (const value of values) {
    const result = of(value);
    if (result !== undefined) return result;
  }
  return undefined;
}

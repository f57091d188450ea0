// What a column of Parquet holds, whoever wrote it: plain values, structures, lists, maps.

import type { SchemaElement, SchemaTree } from "hyparquet/src/types.js";

export type Shape =
  | { readonly kind: "plain"; readonly element: Omit<SchemaElement, "name" | "repetition_type"> }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [name: string, shape: Shape])[] }
  | { readonly kind: "list"; readonly of: Shape }
  | { readonly kind: "map"; readonly key: Shape; readonly value: Shape };

export const text: Shape = {
  kind: "plain",
  element: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
};

const means = ({ element }: SchemaTree, converted: string): boolean =>
  (element.logical_type?.type ?? element.converted_type) === converted || element.converted_type === converted;

/** What is repeated of a list or a map: its only child. Undefined for a structure, and for what is written as neither should be. */
export function repeatedIn(tree: SchemaTree): SchemaTree | undefined {
  const [child, ...others] = tree.children;
  const isMarked = ["LIST", "MAP", "MAP_KEY_VALUE"].some((name) => means(tree, name));
  return isMarked && child?.element.repetition_type === "REPEATED" && others.length === 0 ? child : undefined;
}

/** Key and value of what a map repeats. */
export function entryIn(tree: SchemaTree, repeated: SchemaTree): readonly [SchemaTree, SchemaTree] | undefined {
  const [key, value] = repeated.children;
  return !means(tree, "LIST") && key && value && repeated.children.length === 2 ? [key, value] : undefined;
}

/**
 * What stands for one element of a list: what lies in the repeated group. Older writers left the group out, and repeated the element
 * itself; Parquet's rules tell them by the number of its fields and by its name.
 */
export function elementIn(tree: SchemaTree, repeated: SchemaTree): SchemaTree {
  const [only, ...others] = repeated.children;
  const { name } = repeated.element;
  const isElement = !only || others.length > 0 || name === "array" || name === `${tree.element.name}_tuple`;
  return isElement ? repeated : only;
}

/** The columns of a schema in the form that every reader knows, where anything may be null. */
export function elementsOf(name: string, shape: Shape): SchemaElement[] {
  const own = { name, repetition_type: "OPTIONAL" as const };
  const group = (children: number) => ({ num_children: children });
  switch (shape.kind) {
    case "plain":
      return [{ ...shape.element, ...own }];
    case "struct":
      return [
        { ...own, ...group(shape.fields.length) },
        ...shape.fields.flatMap(([field, inner]) => elementsOf(field, inner)),
      ];
    case "list":
      return [
        { ...own, ...group(1), converted_type: "LIST", logical_type: { type: "LIST" } },
        { name: "list", repetition_type: "REPEATED", ...group(1) },
        ...elementsOf("element", shape.of),
      ];
    case "map": {
      const [key, ...rest] = elementsOf("key", shape.key);
      return [
        { ...own, ...group(1), converted_type: "MAP", logical_type: { type: "MAP" } },
        { name: "key_value", repetition_type: "REPEATED", ...group(2) },
        { ...(key as SchemaElement), repetition_type: "REQUIRED" },
        ...rest,
        ...elementsOf("value", shape.value),
      ];
    }
  }
}

// YAML as recipes of TRL have it: what PyYAML's safe_load takes, one document of plain data.

import { type Document, isMap, isScalar, parseDocument, type YAMLError } from "yaml";
import type { Parsed } from "./json.ts";

/** Many times the longest recipe. Some of the parser's checks take a time that grows with the square: under a second here. */
const longest = 2 ** 15;

/** Of the tags of YAML 1.1 those of plain data: no dates, no bytes, no sets. */
const plain = ["map", "seq", "str", "null", "bool", "int", "float", "merge"].map((name) => `tag:yaml.org,2002:${name}`);

/**
 * Parses a text as YAML. `keys` is told the keys of the outermost mapping, and where they stand.
 *
 * It is the YAML 1.1 that PyYAML reads: `yes` is true and `<<` merges; but `1e-6` is a number, which TRL too makes of PyYAML's
 * text. Keys are text. Aliases are followed a hundred times at most, so that no short text becomes a long value.
 */
export function parseYaml(
  text: string,
  keys: Map<string, number>,
): Parsed | { readonly problem: string; readonly at?: undefined } {
  if (text.length > longest) return { problem: `longer than ${longest / 2 ** 10} KiB` };
  const document = parseDocument(text, {
    schema: "yaml-1.1",
    resolveKnownTags: false,
    customTags: (tags) => tags.filter((tag) => typeof tag === "object" && plain.includes(tag.tag)),
    stringKeys: true,
    prettyErrors: false,
  });
  // What the parser warns of is a tag that it does not know, or a version of YAML.
  const [error = document.warnings[0]] = document.errors;
  if (error) return { problem: problems[error.code] ?? error.message, at: error.pos[0] };
  placeKeys(document, keys);
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    // Aliases are looked at late, and have no place.
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

const tags = "a tag (such as !!python/…) that is none of plain data, or does not fit its value";

/** What the parser's own words would not say to the writer of a recipe. */
const problems: Partial<Record<YAMLError["code"], string>> = {
  MULTIPLE_DOCS: "a second document (---), expected one",
  DUPLICATE_KEY: "duplicate key",
  NON_STRING_KEY: "a key that is no text",
  TAG_RESOLVE_FAILED: tags,
  BAD_COLLECTION_TYPE: tags,
  RESOURCE_EXHAUSTION: "nested too deeply",
};

function placeKeys({ contents }: Document.Parsed, keys: Map<string, number>): void {
  if (!isMap(contents)) return;
  for (const { key } of contents.items) {
    if (isScalar(key) && key.range) keys.set(String(key.value), key.range[0]);
  }
}

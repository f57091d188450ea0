// What files are called in another folder, on a server or in a store that holds the same ones.

import { basename, dirname, relative, sep } from "node:path";

/** The paths below the folder that all of them lie in, with `/` between their parts. */
export function namesBelow(paths: readonly string[]): string[] {
  const [first = "", ...others] = paths.map((path) => dirname(path));
  let folder = first;
  while (others.some((other) => other !== folder && !other.startsWith(folder.endsWith(sep) ? folder : folder + sep))) {
    folder = dirname(folder);
  }
  return paths.map((path) => relative(folder, path).split(sep).join("/") || basename(path));
}

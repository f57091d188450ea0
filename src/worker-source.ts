// The text of the worker's file, for places where the file itself is not found: the build puts it here (tsdown.config.js). Sources
// that run as they are have the file.

export const source: string | undefined = undefined;

// Errors that are no fault of the program: their message alone is printed, and they say the exit status, mostly 2.

/**
 * Says what is wrong with the input or the command: `throw refusal("pairs.jsonl:17: not JSON")`. Names of columns and keys come
 * from files, and must not steer the terminal.
 */
export const refusal = (message: string): Error =>
  Object.assign(new Error(message.replace(/\p{Cc}/gu, "\ufffd")), { exitCode: 2 });

/** Opening, reading, unpacking and writing fail with a number of the system's or of zlib's. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "errno" in error && typeof error.errno === "number";

/** Not the user's doing: no space, a quota, a limit of files, a faulty disk. */
const faults: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG", "EIO"];

/** Why the system could not open or read a file, without its code and call: "no such file or directory". */
export function fileProblem(path: string, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  const isPacking = isSystemError(error) && error.code?.startsWith("Z");
  const problem = refusal(
    `${path}: ${isPacking ? "damaged or cut off: " : ""}${text.replace(/^E[A-Z]+: ([^,]*).*$/s, "$1")}`,
  );
  return isSystemError(error) && faults.includes(error.code) ? Object.assign(problem, { exitCode: 1 }) : problem;
}

/** What a value of a file is, in words. Never the text of a string: it may be a prompt that stands in the wrong place. */
export function kindOfJson(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "symbol") return value.description ?? "a symbol";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

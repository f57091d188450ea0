// Errors of the user's making: their message alone is printed, and the exit status is 2.

/** Says what is wrong with the input or the command: `throw refusal("pairs.jsonl:17: not JSON")`. */
export const refusal = (message: string): Error => Object.assign(new Error(message), { exitCode: 2 });

/** Why the system could not open or read a file, without its code and call: "no such file or directory". */
export function fileProblem(path: string, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return refusal(`${path}: ${text.replace(/^E[A-Z]+: ([^,]*).*$/s, "$1")}`);
}

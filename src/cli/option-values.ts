// Numbers that options of the command line take.

import { InvalidArgumentError } from "commander";

export function numberOf(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

export function countOf(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive integer.");
}

export function portOf(text: string): number {
  const port = countOf(text);
  if (port < 65_536) return port;
  throw new InvalidArgumentError("Expected a port, 1 to 65535.");
}

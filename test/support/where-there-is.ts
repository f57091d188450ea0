// Tests of what a machine may lack: a browser, a driver, another runtime.

import { describe, expect, it, type TestOptions } from "vitest";

/** Without it the tests show as skipped, with what `missing` says of how to get it; where CI is set that is a failure. */
export function whereThereIs(
  name: string,
  missing: string | undefined,
  tests: () => void,
  options: TestOptions = {},
): void {
  const title = missing ? `${name} (skipped: ${missing})` : name;
  if (missing) console.warn(title);
  if (missing && process.env["CI"]) it(`${name} is there where CI is set`, () => expect.fail(missing));
  describe.skipIf(missing)(title, options, tests);
}

// What the scenario on WebGPU reports where all is well.

import { expect } from "vitest";

const error = (code: string) => ({ name: "BackendError", code, typed: true });

/** `adapter`: a word of the name that its driver gives, where the runtime tells. */
export const expectedReport = (adapter: string) => ({
  reason: expect.stringMatching(new RegExp(`^WebGPU on .*${adapter}.*: a device of its own$`)),
  misses: [],
  compared: expect.toSatisfy((n: number) => n > 500),
  destroyedBuffer: error("unavailable"),
  deviceDestroyedInMidCall: error("unavailable"),
  goesOnWithAnotherDevice: true,
  afterDispose: error("disposed"),
});

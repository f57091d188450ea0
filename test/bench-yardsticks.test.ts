// PyTorch and TRL's chunked head, as the benchmark has them: what they give is what float64 gives. Skipped, in words, without PyTorch.

import { describe, expect, it } from "vitest";
import { createYardsticks } from "../bench/python/yardsticks.ts";
import { tinyCases } from "./support/bench-cases.ts";

const yardsticks = createYardsticks();

describe.each(yardsticks.map((one) => ["why" in one ? `${one.candidate}: ${one.why}` : one.name, one] as const))(
  "%s",
  (_, candidate) => {
    it.skipIf("why" in candidate).each(tinyCases().map((work) => [work.name, work] as const))("%s", async (_, work) => {
      if ("why" in candidate) return;
      const problem = work.prepare();
      const opened = await candidate.open(work, problem);
      const has = candidate.name === "trl" ? /^linear/ : /^(?!.*(ipo|f16|sgd|clip))/;
      expect(opened !== undefined).toBe(has.test(work.name));
      if (!opened) return;
      const { elapsed } = (await opened.run()) as { elapsed: number };
      expect(elapsed).toBeGreaterThan(0);
      const results = await opened.results();
      expect(problem.check(results).value).toBeGreaterThanOrEqual(0);
      await opened.close?.();
    });
  },
);

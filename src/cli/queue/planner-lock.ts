// One planner at a time for each job: others wait, and take over should it die.

import { randomUUID } from "node:crypto";
import type { Redis } from "./connect.ts";

/** A planner that is silent for so long has died. */
const patience = 10_000;

// Taken where it is free or one's own; an expiry that is behind is set anew.
const take = `local holder = redis.call("get", KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call("set", KEYS[1], ARGV[1], "px", ARGV[2])
return 1`;

const free = `if redis.call("get", KEYS[1]) == ARGV[1] then redis.call("del", KEYS[1]) end`;

/** Resolves when this planner is the one; the function that it gives lets the next one in. */
export async function becomePlanner(redis: Redis, job: string, onWait: () => void): Promise<() => Promise<void>> {
  const key = `dpo-kernels:planner:${job}`;
  const own = randomUUID();
  const tryToTake = async (): Promise<boolean> => (await redis.eval(take, 1, key, own, String(patience))) === 1;
  let isFirst = true;
  while (!(await tryToTake())) {
    if (isFirst) onWait();
    isFirst = false;
    await new Promise((go) => setTimeout(go, 250));
  }
  const renewal = setInterval(() => void tryToTake().catch(() => {}), patience / 4);
  return async () => {
    clearInterval(renewal);
    await redis.eval(free, 1, key, own);
  };
}

// A Worker that serves losses. `npx wrangler secret put TOKEN` sets what callers must send; without it everybody may call.

import { diagnose } from "dpo-kernels/diagnose";
import { createService } from "dpo-kernels/service";

const service = createService({
  cors: true,
  authorize: (request, env) => !env.TOKEN || request.headers.get("authorization") === `Bearer ${env.TOKEN}`,
});

export default {
  async fetch(request, env, ctx) {
    // For a report of a bug: what runs where this is deployed.
    if (env.DIAGNOSE && new URL(request.url).pathname === "/diagnose") return Response.json(await diagnose());
    return service.fetch(request, env, ctx);
  },
};

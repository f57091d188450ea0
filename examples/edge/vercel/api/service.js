// An edge function that serves losses; vercel.json leads every path here.

import { createService } from "dpo-kernels/service";

export const config = { runtime: "edge" };

const service = createService({ cors: true });

export default (request) => service.fetch(request);

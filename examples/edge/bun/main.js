// Bun serves what this file exports.

import { createService } from "dpo-kernels/service";

export default { port: process.env.PORT ?? 8000, ...createService({ cors: true }) };

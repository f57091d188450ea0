// `deno serve` calls the fetch of what this file exports.

import { createService } from "dpo-kernels/service";

export default createService({ cors: true });

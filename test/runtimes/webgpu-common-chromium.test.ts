// Every case of the common tests on WebGPU in Chromium, whose WGSL compiler is Tint.

import { commonCases, inPages } from "./common/cases.ts";
import { inChromiumWithGpu } from "./support/browsers.ts";

await commonCases("Chromium", inChromiumWithGpu.missing, () => inPages(inChromiumWithGpu));

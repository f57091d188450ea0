// Every case of the common tests on WebGPU in Firefox, whose WGSL compiler is Naga.

import { commonCases, inPages } from "./common/cases.ts";
import { inFirefoxWithGpu } from "./support/browsers.ts";

await commonCases("Firefox", inFirefoxWithGpu.missing, () => inPages(inFirefoxWithGpu));

// The common tests on WebGPU in other engines: every case in Deno, whose WGSL compiler is Naga, as it is in Node, whose is Tint; and a
// sample of them in the browsers that have the same compilers, Firefox and Chromium. One after the other: they fill the machine.

import { commonCases, inDeno, inPages } from "./common/cases.ts";
import { inChromiumWithGpu, inFirefoxWithGpu, missingOf, VULKAN_DRIVERS } from "./support/browsers.ts";

await commonCases("Deno", missingOf([VULKAN_DRIVERS], "mesa-vulkan-drivers"), inDeno);
await commonCases("Firefox", inFirefoxWithGpu.missing, () => inPages(inFirefoxWithGpu));
await commonCases("Chromium", inChromiumWithGpu.missing, () => inPages(inChromiumWithGpu));

// Every case of the common tests on WebGPU in Deno, whose WGSL compiler is Naga.

import { commonCases, inDeno } from "./common/cases.ts";
import { missingOf, VULKAN_DRIVERS } from "./support/browsers.ts";

await commonCases("Deno", missingOf([VULKAN_DRIVERS], "mesa-vulkan-drivers"), inDeno);

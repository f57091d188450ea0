// The common tests on WebGPU in Chromium: every third file of them. Its Dawn, whose WGSL compiler is Tint, is the one that runs all of
// them in Node, and what is a browser's own, pages and their arrays, is in each file.

import { files } from "./common/bundle.ts";
import { commonCases, inPages } from "./common/cases.ts";
import { inChromiumWithGpu } from "./support/browsers.ts";

const third = files.filter((_, k) => k % 3 === 0);
await commonCases("Chromium", inChromiumWithGpu.missing, () => inPages(inChromiumWithGpu), third);

// The worker of the package on a machine that has no more memory to give.

import "../../../dist/worker.js";

WebAssembly.Memory.prototype.grow = () => {
  throw new RangeError("no more, on purpose");
};

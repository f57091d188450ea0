// Shows what producer.js comes to, in a page without a bundler.

import { lossOf, produceLogits } from "./producer.js";

const show = (text) => {
  document.getElementById("result").textContent = text;
};

async function run() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return show("not run: this browser gives no adapter");
  const device = await adapter.requestDevice();
  const metrics = await lossOf(device, produceLogits(device));
  show(`loss ${metrics.loss.toFixed(4)}, margin ${metrics["rewards/margins"].toFixed(4)}`);
}

run().catch((error) => show(`not run: ${error.name}: ${error.message}`));

// Logits to gradients in workers, in a page without a bundler. Serve the folder above `dist` and `examples`, open index.html:
// a module cannot be loaded from file://.

import { createPool } from "../../dist/pool.js";
import { makeBatch } from "./made-up.js";

const element = (id) => document.getElementById(id);

async function run() {
  const pool = await createPool({ workers: 2 });
  element("reason").textContent = pool.reason;
  const { loss, metrics } = await pool.logitsLoss(
    // Shared with the workers if the page is cross-origin isolated, copied otherwise.
    makeBatch((n) => pool.allocate("f32", n)),
    {
      lossType: "sigmoid",
      beta: 0.1,
      inPlace: true,
      onProgress: (done, total) => Object.assign(element("progress"), { value: done, max: total }),
    },
  );
  element("result").textContent = `loss ${loss.toFixed(4)}, margin ${metrics["rewards/margins"].toFixed(4)}`;
  await pool.dispose();
}

run().catch((error) => {
  element("result").textContent = `${error.name}: ${error.message}`;
});

// The service over loopback, in Node and in workerd: requests a second for 8 pairs and for 10,000, cold start, size; and half a
// minute of valid and hostile requests mixed. Set-up: node scripts/setup.mjs test/runtimes/tools

import { projectOf, type Running, servers, start } from "../test/runtimes/support/edge-project.ts";
import { asJson, asTensors, load, memoryOf, pairsOf } from "../test/runtimes/support/load.ts";
import { bundleWorker, startWorkerd } from "../test/runtimes/support/workerd.ts";
import { save } from "./report.ts";

const seconds = Number(process.env["BENCH_SECONDS"] ?? 30);

/** Requests a second, eight at a time. */
async function rate(url: string, body: BodyInit, type: string): Promise<number> {
  const end = performance.now() + 5000;
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      const response = await fetch(`${url}/v1/pair-loss`, { method: "POST", headers: { "content-type": type }, body });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`status ${response.status}`);
      done++;
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: 8 }, caller));
  return (1000 * done) / (performance.now() - started);
}

async function measure(name: string, running: Running) {
  const { url, pid } = running;
  const rates: Record<string, number> = {};
  for (const n of [8, 10_000]) {
    const pairs = pairsOf(n, 1);
    rates[`${n} pairs, JSON`] = await rate(url, asJson(pairs), "application/json");
    rates[`${n} pairs, safetensors`] = await rate(url, asTensors(pairs), "application/octet-stream");
  }
  await load(url, (requests) => requests >= 1000);
  const before = memoryOf(pid);
  const end = performance.now() + 1000 * seconds;
  const { requests, statuses, faults } = await load(url, () => performance.now() > end);
  const grown = (memoryOf(pid) - before) / 2 ** 20;
  const figures = { rates, mixed: { seconds, requests, statuses, faults: faults.length, grownMiB: grown } };
  console.log(name, JSON.stringify(figures, null, 2));
  if (faults.length > 0) console.log(faults.slice(0, 10));
  return figures;
}

const inNode = await start(projectOf("node"), servers.node.command, servers.node.args);
const nodeFigures = await measure("Node", inNode);
await inNode.stop();

const bundled = bundleWorker();
const colds: number[] = [];
for (let k = 0; k < 5; k++) {
  const started = performance.now();
  const running = await startWorkerd(bundled, 5);
  colds.push(performance.now() - started);
  await running.stop();
}
const inWorkerd = await startWorkerd(bundled);
const workerdFigures = await measure("workerd", inWorkerd);
await inWorkerd.stop();
const [coldMillis] = colds.sort((a, b) => a - b).slice(2);
console.log(`workerd: ${coldMillis} ms from start to the first answer, ${bundled.gzipBytes} bytes gzip`);
save("service", { node: nodeFigures, workerd: { ...workerdFigures, coldMillis, gzipBytes: bundled.gzipBytes } });

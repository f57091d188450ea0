// The script of bench.html. The command opens it with `?run=<token>`, and it runs at once; opened by hand it waits for its button,
// and `?save=<token>` is where the command that serves it keeps results.

import { ours } from "../../bench.ts";
import { measureOrder } from "../measure.ts";
import { type Measure, type Order, runFor } from "../remote.ts";
import type { Progress } from "../run.ts";
import type { BenchResult } from "../types.ts";
import { element, tables } from "./tables.ts";

const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

const status = byId("status");
const bar = byId<HTMLProgressElement>("progress");
const controls = byId<HTMLFormElement>("controls");

const query = new URLSearchParams(location.search);
const token = query.get("run") ?? query.get("save");
const address = token !== null && /^\w+$/.test(token) ? `/runs/${token}` : undefined;

/** `quick` is the choice of who opened the page; otherwise the order has it. */
function start(quick?: boolean): void {
  controls.hidden = true;
  bar.hidden = false;
  const ended = address === undefined ? measureHere({ quick }) : runFor(address, ordered(quick));
  ended
    .then(
      (result) => {
        showResult(result);
        say(address === undefined ? "done" : "done, and kept by the command that serves this page");
      },
      (error: unknown) => say(`failed: ${error instanceof Error ? error.message : String(error)}`),
    )
    .finally(() => {
      controls.hidden = false;
      bar.hidden = true;
    });
}

const place = { ours, lacks: { "onnxruntime-node": "an addon of Node's" } };

const measureHere = (options: Order["options"]): Promise<BenchResult> =>
  measureOrder({ options, peers: {} }, place, show);

const ordered =
  (quick: boolean | undefined): Measure =>
  ({ options, ...order }, onProgress, onPart) => {
    const chosen = quick === undefined ? options : { ...options, quick };
    const told = async (progress: Progress): Promise<void> => {
      await onProgress(progress);
      await show(progress);
    };
    return measureOrder({ ...order, options: chosen }, place, told, onPart);
  };

/** What cannot be measured in a page as it was served; empty where everything can. */
function limitsHere(): string {
  if (!crossOriginIsolated) {
    return (
      "This page is not isolated: its clock moves in steps of 0.1 or 1 ms, so that short work is repeated for longer and single calls " +
      "are not timed; and it shares no memory with workers, so that pools work on copies. npx dpo-kernels bench --page serves it isolated."
    );
  }
  if (typeof SharedArrayBuffer === "undefined")
    return "This browser shares no memory with workers: pools work on copies.";
  return "";
}

let shownAt = 0;

/** A page is painted when its script waits; that takes time, too. */
async function show({ done, case: name }: Progress): Promise<void> {
  if (performance.now() < shownAt + 200) return;
  say(name);
  bar.value = done;
  await new Promise((resolve) => setTimeout(resolve));
  shownAt = performance.now();
}

function say(text: string): void {
  status.textContent = text;
}

function showResult(result: BenchResult): void {
  byId("results").replaceChildren(...tables(result));
  const { name, version } = result.runtime;
  const link = element("a", `Download the result (${name} ${version}, JSON)`);
  link.href = URL.createObjectURL(new Blob([JSON.stringify(result, null, 2)], { type: "application/json" }));
  link.download = `bench-${name}${Number.parseInt(version, 10) || ""}.json`;
  byId("download").replaceChildren(link);
}

byId("limits").textContent = limitsHere();
controls.addEventListener("submit", (event) => {
  event.preventDefault();
  start(new FormData(controls).get("extent") === "quick");
});
if (query.has("run")) start();

// A benchmark in other runtimes, one after the other, or in a page that is opened by hand.

import { fileURLToPath } from "node:url";
import type { Order } from "../../bench/remote.ts";
import type { BenchResult } from "../../bench/types.ts";
import { type Bar, startBar } from "../rate-bar.ts";
import { fileProblem } from "../refusal.ts";
import { addressesOf, findPeers } from "./find-peers.ts";
import { type Outcome, onThisMachine, type Runtime, runEverywhere } from "./runtimes.ts";
import { startServer } from "./serve.ts";

/** The built files, which other runtimes load: the command line is one of them, unless its sources run as they are. */
const dist = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../../../dist/" : "./", import.meta.url));

type Keep = (result: BenchResult) => Promise<void>;

/** Measures in each, and shows on a terminal how far it has come. */
export async function runElsewhere(
  runtimes: readonly Runtime[],
  options: Order["options"],
  keep: Keep,
): Promise<Outcome> {
  const peers = findPeers(process.cwd());
  const server = await startServer({ dist, peers });
  let bar: Bar | undefined;
  let shown = 0;
  const end = (): void => {
    bar?.stop();
    [bar, shown] = [undefined, 0];
  };
  try {
    return await runEverywhere(
      runtimes,
      server,
      dist,
      { options, peers: addressesOf(peers) },
      {
        start(label) {
          if (!process.stderr.isTTY) console.error(label);
        },
        progress(label, { cases, case: name, done }) {
          bar ??= startBar(cases, "cases");
          const whole = Math.floor(done * cases);
          bar.advance(whole - shown, true, `, ${label}: ${name}`);
          shown = whole;
        },
        end,
        note: (text) => console.error(`not measured: ${text}`),
        result: keep,
      },
    );
  } finally {
    end();
    await server.close();
  }
}

/** Serves the page until the command is ended; results that it posts are kept. */
export async function servePage(options: Order["options"], port: number, keep: Keep): Promise<void> {
  const peers = findPeers(process.cwd());
  const server = await startServer({ dist, peers }, port).catch((error: unknown) => {
    throw fileProblem(`--page ${port}`, error);
  });
  const { token } = server.wait({
    order: { options, peers: {} },
    report(said) {
      if ("result" in said) keep(onThisMachine(said.result)).catch((error: unknown) => console.error(String(error)));
      if ("failure" in said) console.error(said.failure);
    },
  });
  console.log(`${server.page(token, "by hand")}\nOpen it in a browser of this machine; Ctrl-C ends the server.`);
}

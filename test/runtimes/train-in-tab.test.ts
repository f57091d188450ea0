// examples/train-in-tab as its reader uses it: trains, pauses, is closed in the middle, goes on, and ends in the same bits.

import { expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { type Browser, type BrowserKind, inChromium, inFirefox } from "./support/browsers.ts";
import { isolation, serve } from "./support/server.ts";

const PAGE = "examples/train-in-tab/index.html?steps=120";
const patience = 120_000;

/** Asks for the page's text until it has this. */
async function until(browser: Browser, pattern: RegExp): Promise<string> {
  const end = performance.now() + patience;
  for (;;) {
    const text = await browser.text();
    if (pattern.test(text)) return text;
    if (performance.now() > end) throw new Error(`page: no ${pattern} in ${text.slice(0, 2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const done = /done: 120 steps; ([\da-f]{16})/;
const hashIn = (text: string): string => done.exec(text)?.[1] ?? "";

/** Opens the page as a newcomer does, and begins. */
async function begin(browser: Browser, url: string): Promise<void> {
  await browser.visit(url);
  await until(browser, /kind words/);
  await browser.click("#start");
}

function suite(kind: BrowserKind): void {
  const withPage = async (headers: Record<string, string>, use: (browser: Browser, url: string) => Promise<void>) => {
    const server = await serve(headers);
    const browser = await kind.open();
    try {
      await use(browser, server.url(PAGE));
    } finally {
      await browser.close();
      await server.close();
    }
  };

  const inTab = (): void => {
    it.each([
      ["isolated", isolation],
      ["not isolated", {}],
    ])("%s: the tab closed in mid-training and opened again, the same bits", async (_name, headers) => {
      let whole = "";
      await withPage(headers, async (browser, url) => {
        await begin(browser, url);
        const text = await until(browser, done);
        whole = hashIn(text);
        expect(text).toMatch(/Download model\.safetensors/);
        expect(text).toMatch(/(pool|wasm): /);
      });
      await withPage(headers, async (browser, url) => {
        await begin(browser, url);
        await until(browser, /step ([3-9]\d|1\d\d) of 120: loss/);
        await browser.reopen();
        await browser.visit(url);
        const text = await until(browser, /was at step \d+ of 120; Start goes on/);
        expect(Number(/was at step (\d+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(30);
        await browser.click("#start");
        const [, first = 0] = /step (\d+) of 120: loss/.exec(await until(browser, /step \d+ of 120: loss/)) ?? [];
        // It goes on, and does not begin anew.
        expect(Number(first)).toBeGreaterThan(20);
        expect(hashIn(await until(browser, done))).toBe(whole);
      });
    });

    it("pauses and goes on", async () => {
      await withPage({}, async (browser, url) => {
        await begin(browser, url);
        await until(browser, /step \d+ of 120: loss/);
        await browser.click("#pause");
        await until(browser, /paused behind step \d+ of 120/);
        await browser.click("#start");
        await until(browser, done);
      });
    });
  };
  whereThereIs(kind.name, kind.missing, inTab, { timeout: 3 * patience });
}

for (const kind of [inChromium, inFirefox]) suite(kind);

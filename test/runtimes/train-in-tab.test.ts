// examples/train-in-tab as its reader uses it: trains, pauses, is closed in the middle, goes on, and ends in the same bits.

import { expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { type Browser, type BrowserKind, inChromium, inFirefox } from "./support/browsers.ts";
import { type Headers, isolation, serve } from "./support/server.ts";

const PAGE = "examples/train-in-tab/index.html";
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

const done = /done: 400 steps; weights ([\da-f]{16})/;
const hashIn = (text: string): string => done.exec(text)?.[1] ?? "";

/** Opens the page as a newcomer does, and begins. */
async function begin(browser: Browser, url: string): Promise<void> {
  await browser.visit(url);
  await until(browser, /kind words/);
  await browser.click("#start");
}

function suite(kind: BrowserKind): void {
  const withPage = async (headers: Headers, use: (browser: Browser, url: string) => Promise<void>, steps = 400) => {
    const server = await serve(headers);
    const browser = await kind.open();
    try {
      await use(browser, server.url(`${PAGE}?steps=${steps}`));
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
        expect(text).toMatch(/(pool|webgpu): /);
      });
      await withPage(headers, async (browser, url) => {
        await begin(browser, url);
        await until(browser, /step ([5-9]\d|[123]\d\d) of 400: loss/);
        await browser.reopen();
        await browser.visit(url);
        const text = await until(browser, /was at step \d+ of 400; Start goes on/);
        expect(Number(/was at step (\d+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(50);
        await browser.click("#start");
        const [, first = 0] = /step (\d+) of 400: loss/.exec(await until(browser, /step \d+ of 400: loss/)) ?? [];
        // It goes on, and does not begin anew.
        expect(Number(first)).toBeGreaterThan(40);
        expect(hashIn(await until(browser, done))).toBe(whole);
      });
    });

    it("pauses and goes on", async () => {
      const use = async (browser: Browser, url: string): Promise<void> => {
        await begin(browser, url);
        await until(browser, /step \d+ of 9000: loss/);
        await browser.click("#pause");
        const [, at] = /paused behind step (\d+)/.exec(await until(browser, /paused behind step \d+ of 9000/)) ?? [];
        await browser.click("#start");
        const [, next] = /step (\d+) of/.exec(await until(browser, /step \d+ of 9000: loss/)) ?? [];
        expect(Number(next)).toBeGreaterThan(Number(at));
      };
      // More steps than any machine takes before it is asked to pause.
      await withPage({}, use, 9000);
    });
  };
  whereThereIs(kind.name, kind.missing, inTab, { timeout: 3 * patience });
}

for (const kind of [inChromium, inFirefox]) suite(kind);

// The tests of one browser, with the pages that they visit.

import { afterAll, beforeAll } from "vitest";
import { whereThereIs } from "../../support/where-there-is.ts";
import type { Browser, BrowserKind } from "./browsers.ts";
import { type Headers, type Server, serve } from "./server.ts";

/** Opens a page served with these headers, which may differ from file to file, and gives what it reports. */
export type Visit = (path: string, headers: Headers | ((path: string) => Headers), root?: URL) => Promise<unknown>;

/** Shows a page of this folder (`show`) or at another address (`showAt`), and gives its text once `until` is in it. */
export type Show = (path: string, until: RegExp) => Promise<string>;

export function suite(
  { name, missing, open }: BrowserKind,
  tests: (visit: Visit, show: Show, showAt: Show) => void,
  patience = 30_000,
): void {
  const inBrowser = (): void => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await open();
    }, patience);
    afterAll(() => browser?.close(), patience);

    const served = async <T>(given: Promise<Server>, use: (server: Server) => Promise<T>): Promise<T> => {
      const server = await given;
      try {
        return await use(server);
      } finally {
        await server.close();
      }
    };
    const visit: Visit = (path, headers, root) =>
      served(serve(headers, root), async (server) => {
        const [report] = await Promise.all([server.report(patience), browser.visit(server.url(path))]);
        return report;
      });
    const showAt: Show = async (url, until) => {
      await browser.visit(url);
      const end = performance.now() + patience;
      for (;;) {
        const text = await browser.text();
        if (until.test(text) || performance.now() > end) return text;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const show: Show = (path, until) => served(serve(), (server) => showAt(server.url(path), until));
    tests(visit, show, showAt);
  };
  whereThereIs(name, missing, inBrowser, { timeout: patience + 10_000 });
}

// The three browsers, each opened by the driver that works with Debian's build of it, behind one small interface.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";
import { findBrowser, findOnPath } from "../../../src/cli/bench/places.ts";
import { stop } from "./processes.ts";

export interface Browser {
  visit(url: string): Promise<void>;
  /** The text of the page's body as it stands. */
  text(): Promise<string>;
  /** Clicks the element that a selector names. */
  click(selector: string): Promise<void>;
  /** Closes the tab, whatever its page is doing, and opens another. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export interface BrowserKind {
  name: string;
  /** How to get what is missing here; empty where nothing is. */
  missing: string;
  open(): Promise<Browser>;
}

/** How to get what is missing of these files; empty where nothing is. */
export function missingOf(files: readonly string[], packages: string): string {
  const absent = files.filter((file) => !existsSync(file));
  if (absent.length === 0) return "";
  return `no ${absent.join(", ")}: apt-get install -y --no-install-recommends ${packages}`;
}

const kind = (name: string, files: string[], packages: string, open: () => Promise<Browser>): BrowserKind => ({
  name,
  missing: missingOf(files, packages),
  open,
});

// Where they are not, the names say what is missing.
const CHROMIUM = findBrowser("chromium") ?? "chromium";
const FIREFOX = findBrowser("firefox") ?? "firefox";
const WEBKIT_DRIVER = findOnPath("WebKitWebDriver") ?? "WebKitWebDriver";
const MINI_BROWSER = findBrowser("webkit") ?? "MiniBrowser";
const XVFB = findOnPath("Xvfb") ?? "Xvfb";

/** Drivers of Vulkan; Mesa's include lavapipe, a GPU in software. */
export const VULKAN_DRIVERS = "/usr/share/vulkan/icd.d";

const openChromium =
  (...more: string[]) =>
  async (): Promise<Browser> => {
    const quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"];
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-sync", ...quiet, ...more],
    });
    // One context, so that its tabs share what their origin stores.
    const context = await browser.newContext();
    let page = await context.newPage();
    return {
      visit: async (url) => void (await page.goto(url)),
      text: async () => (await page.textContent("body")) ?? "",
      click: (selector) => page.click(selector),
      reopen: async () => {
        const next = await context.newPage();
        await page.close();
        page = next;
      },
      close: () => browser.close(),
    };
  };

export const inChromium = kind("Chromium", [CHROMIUM], "chromium", openChromium());

/** WebGPU by Dawn and Tint, on the SwiftShader that Chromium brings. */
export const inChromiumWithGpu = kind(
  "WebGPU in Chromium",
  [CHROMIUM],
  "chromium",
  openChromium("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
);

const openFirefox = (extraPrefsFirefox: Record<string, boolean>) => async (): Promise<Browser> => {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    extraPrefsFirefox,
  });
  let page = await browser.newPage();
  return {
    visit: async (url) => void (await page.goto(url)),
    text: () => page.evaluate("document.body.textContent") as Promise<string>,
    click: (selector) => page.click(selector),
    reopen: async () => {
      const next = await browser.newPage();
      await page.close();
      page = next;
    },
    close: () => browser.close(),
  };
};

export const inFirefox = kind("Firefox", [FIREFOX], "firefox-esr", openFirefox({}));

/** WebGPU by wgpu and Naga, on a driver of the system. */
export const inFirefoxWithGpu = kind(
  "WebGPU in Firefox",
  [FIREFOX, VULKAN_DRIVERS],
  "firefox-esr mesa-vulkan-drivers",
  openFirefox({ "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true, "dom.webgpu.workers.enabled": true }),
);

// Plain WebDriver, without a client library. MiniBrowser has no headless mode: Xvfb is its screen.
export const inWebKit = kind("WebKitGTK", [WEBKIT_DRIVER, MINI_BROWSER, XVFB], "webkit2gtk-driver xvfb", async () => {
  const screen = spawn(XVFB, ["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const display = await new Promise<string>((resolve, reject) => {
    screen.once("error", reject);
    screen.once("exit", (code) => reject(new Error(`Xvfb: exited with ${code}`)));
    screen.stdout.once("data", (line) => resolve(`:${String(line).trim()}`));
  });
  const port = await freePort();
  const env = { ...process.env, DISPLAY: display, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" };
  const driver = spawn(WEBKIT_DRIVER, [`--port=${port}`], { env, stdio: "ignore" });
  const command = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const { value } = (await (await fetch(`http://127.0.0.1:${port}${path}`, init)).json()) as { value: unknown };
    if (value && typeof value === "object" && "error" in value) throw new Error(JSON.stringify(value));
    return value;
  };
  const options = { binary: MINI_BROWSER, args: ["--automation"] };
  const wanted = { alwaysMatch: { browserName: "MiniBrowser", "webkitgtk:browserOptions": options } };
  await untilAnswered(() => command("GET", "/status"));
  const { sessionId } = (await command("POST", "/session", { capabilities: wanted })) as { sessionId: string };
  const execute = (script: string, ...args: unknown[]) =>
    command("POST", `/session/${sessionId}/execute/sync`, { script, args });
  return {
    visit: async (url) => void (await command("POST", `/session/${sessionId}/url`, { url })),
    text: () => execute("return document.body.textContent") as Promise<string>,
    click: async (selector) => void (await execute("document.querySelector(arguments[0]).click()", selector)),
    reopen: async () => {
      const { handle } = (await command("POST", `/session/${sessionId}/window/new`, { type: "tab" })) as {
        handle: string;
      };
      await command("DELETE", `/session/${sessionId}/window`);
      await command("POST", `/session/${sessionId}/window`, { handle });
    },
    close: async () => {
      await command("DELETE", `/session/${sessionId}`).catch(() => {});
      await stop(driver);
      await stop(screen);
    },
  };
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function untilAnswered(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return void (await ask());
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

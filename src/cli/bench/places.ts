// Where the runtimes of a benchmark lie on this machine. The tests of browsers look here too.

import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, isAbsolute, join } from "node:path";

export const browserNames = ["chromium", "firefox", "webkit"] as const;
export type BrowserName = (typeof browserNames)[number];

const debianArch = { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch;

/** WebKitGTK's own browser, which distributions keep off the PATH: Debian, Fedora, Arch. */
const miniBrowsers = [`/usr/lib/${debianArch}-linux-gnu`, "/usr/libexec", "/usr/lib"].flatMap((folder) =>
  ["webkitgtk-6.0", "webkit2gtk-4.1", "webkit2gtk-4.0"].map((version) => `${folder}/${version}/MiniBrowser`),
);

/** Names on PATH, or files; the first that is there is taken. */
const browsers: Readonly<Record<BrowserName, readonly string[]>> = {
  chromium: [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
  ],
  firefox: [
    "firefox",
    "firefox-esr",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
  ],
  webkit: ["MiniBrowser", ...miniBrowsers, "epiphany-browser", "epiphany"],
};

/** A program on PATH; undefined where there is none. */
export function findOnPath(name: string): string | undefined {
  const file = process.platform === "win32" ? `${name}.exe` : name;
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, file)).find(isProgram);
}

export function findBrowser(name: BrowserName): string | undefined {
  for (const place of browsers[name]) {
    const found = isAbsolute(place) ? [place].find(isProgram) : findOnPath(place);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** workerd on PATH, or the one that wrangler or miniflare brings, installed beside the project in this folder. */
export function findWorkerd(folder: string): string | undefined {
  const onPath = findOnPath("workerd");
  if (onPath !== undefined) return onPath;
  const project = join(folder, "package.json");
  for (const chain of [["workerd"], ["miniflare", "workerd"], ["wrangler", "miniflare", "workerd"]]) {
    const main = resolveChain(chain, project);
    const file = main && join(dirname(main), "../bin/workerd");
    if (file && isProgram(file)) return file;
  }
  return undefined;
}

/** The main module of the last of these packages, each looked for beside the one before. */
function resolveChain(names: readonly string[], from: string): string | undefined {
  try {
    return names.reduce((file, name) => createRequire(file).resolve(name), from);
  } catch {
    return undefined;
  }
}

export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

// Where workers see a job's data: folders, servers that give ranges of bytes, modules; and what files are called there.

import { expect, it, onTestFinished } from "vitest";
import { namesBelow } from "../src/cli/queue/names.ts";
import { folderStore } from "../src/cli/store/folder.ts";
import { httpStore } from "../src/cli/store/http.ts";
import { labelIn, openStore, readAll } from "../src/cli/store/open.ts";
import { folder, write } from "./cli-run.ts";
import { serveRanges } from "./runtimes/support/score-queue.ts";

const content = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));

async function started(withRanges?: boolean) {
  const server = await serveRanges(withRanges);
  onTestFinished(() => server.close());
  return server;
}

it("folders and servers give the same bytes, whole and in part, and know what is not there", async () => {
  write("some bytes.bin", content);
  write("empty", "");
  const { url, answers } = await started();
  for (const store of [folderStore(folder), httpStore(url), httpStore(`${url}/`), httpStore(`${url}?key=1`)]) {
    expect(await store.size("some bytes.bin")).toBe(5000);
    expect(await store.size("none")).toBe(undefined);
    expect(await store.size("empty")).toBe(0);
    expect(Buffer.from(await store.read("some bytes.bin", 10, 4000)).equals(content.subarray(10, 4000))).toBe(true);
    expect((await store.read("empty", 0, 0)).length).toBe(0);
    const all: Buffer[] = [];
    for await (const bytes of readAll(store, "some bytes.bin", 5000)) all.push(bytes);
    expect(Buffer.concat(all).equals(content)).toBe(true);
    await expect(store.read("some bytes.bin", 4990, 5010)).rejects.toThrow();
  }
  expect(answers.find(({ range }) => range === "bytes=10-3999")).toMatchObject({ name: "some bytes.bin", status: 206 });
});

it("a server without ranges, one that is away, one that fails", async () => {
  write("bytes.bin", content);
  const { url } = await started(false);
  await expect(httpStore(url).read("bytes.bin", 0, 10)).rejects.toThrow(
    "bytes.bin: the server gives no ranges of bytes",
  );
  await expect(httpStore(url).read("none", 0, 10)).rejects.toThrow("none: not there");
  const signed = `${url}?signature=secret/`;
  await expect(httpStore(signed).read("none", 0, 10)).rejects.toThrow(`${url}/none: not there`);
  expect(labelIn(signed, "none")).toBe(`${url}/none`);
  await expect(httpStore("http://127.0.0.1:1/").size("x")).rejects.toThrow("http://127.0.0.1:1/x: ");
});

it("a module of the user's, or a refusal that says what it lacks", async () => {
  const good = write(
    "store.mjs",
    "export default { size: async () => 3, read: async () => new Uint8Array([1, 2, 3]) };",
  );
  const store = await openStore(good, "--data");
  expect([await store.size("x"), await store.read("x", 0, 3)]).toEqual([3, new Uint8Array([1, 2, 3])]);
  const bad = write("bad.mjs", "export default { size: 3 };");
  await expect(openStore(bad, "--data")).rejects.toThrow(
    /^--data: .*bad\.mjs: expected a default export with size\(name\) and read\(name, start, end\)$/,
  );
});

it("files have the names below the folder that all of them lie in", () => {
  expect(namesBelow(["/data/pairs.jsonl"])).toEqual(["pairs.jsonl"]);
  expect(namesBelow(["/data/a/x.jsonl", "/data/a/y.jsonl"])).toEqual(["x.jsonl", "y.jsonl"]);
  expect(namesBelow(["/data/a/x.jsonl", "/data/ab/x.jsonl"])).toEqual(["a/x.jsonl", "ab/x.jsonl"]);
  expect(namesBelow(["/data/a/b/x.jsonl", "/data/a/y.jsonl"])).toEqual(["b/x.jsonl", "y.jsonl"]);
  expect(namesBelow(["/a/x.jsonl", "/b/x.jsonl"])).toEqual(["a/x.jsonl", "b/x.jsonl"]);
});

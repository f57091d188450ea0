// A service as HTTP: paths, methods, forms, pages of other origins, who may call, backends.

import { describe, expect, test, vi } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { createJs } from "../../src/backends/js/js.ts";
import { BackendError } from "../../src/errors.ts";
import { lossTypes } from "../../src/losses/index.ts";
import { createPool } from "../../src/pool.ts";
import { createService } from "../../src/service.ts";
import { answerOf, linearBatch, pairs, post, requestOf, service } from "./support.ts";

const PAIRS = "/v1/pair-loss";
const get = (path: string, init: RequestInit = {}, to = service) => answerOf(to.fetch(requestOf(path, init)));

describe("paths and methods", () => {
  test("health", async () => {
    const { status, json } = await get("/health");
    expect([status, json]).toEqual([
      200,
      { status: "ok", version: packageJson.version, backend: "wasm", reason: expect.any(String) },
    ]);
  });

  test("losses", async () => {
    const { json, headers } = await get("/v1/losses");
    const losses = json["losses"] as { id: string; params: object; inputs: string[]; dependsOnBatch: boolean }[];
    expect(losses.map(({ id }) => id)).toEqual(lossTypes);
    expect(losses.find(({ id }) => id === "ipo")).toMatchObject({
      params: { beta: { type: "number", exclusiveMinimum: 0, default: 0.1 } },
      inputs: expect.arrayContaining(["policyChosen", "chosenLengths"]),
      dependsOnBatch: false,
    });
    expect(losses.find(({ id }) => id === "kto")).toMatchObject({
      of: "rows",
      inputs: ["policy", "reference", "desirable", "klPolicy", "klReference"],
      dependsOnBatch: true,
    });
    expect(headers.get("cache-control")).toBe("max-age=300");
  });

  test("HEAD gives headers alone", async () => {
    const response = await service.fetch(requestOf("/health", { method: "HEAD" }));
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      "application/json",
      "",
    ]);
  });

  test.each([
    ["GET", PAIRS, 405, "POST, OPTIONS"],
    ["PUT", PAIRS, 405, "POST, OPTIONS"],
    ["POST", "/health", 405, "GET, HEAD, OPTIONS"],
    ["DELETE", "/v1/losses", 405, "GET, HEAD, OPTIONS"],
    ["GET", "/", 404, null],
    ["POST", "/v1/pair-loss/", 404, null],
    ["GET", "/__proto__", 404, null],
    ["OPTIONS", PAIRS, 204, "POST, OPTIONS"],
  ])("%s %s gives %i", async (method, path, status, allow) => {
    const answer = await get(path, { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([status, allow]);
  });

  test.each([
    [{}, 415],
    [{ "content-type": "text/plain" }, 415],
    [{ "content-type": "multipart/form-data" }, 415],
    [{ "content-type": "application/json", "content-encoding": "gzip" }, 415],
    [{ "content-type": "application/json", accept: "text/html" }, 406],
    [{ "content-type": "application/JSON; charset=utf-8", accept: "text/html, */*;q=0.1" }, 200],
  ])("headers %j give %i", async (headers, status) => {
    const body = new TextEncoder().encode(JSON.stringify(pairs));
    expect((await get(PAIRS, { method: "POST", body, headers })).status).toBe(status);
  });

  test("an answer says how long its parts took, and whose it is", async () => {
    const { headers } = await post(PAIRS, pairs, service, { "x-request-id": "abc-1" });
    expect(headers.get("server-timing")).toMatch(
      /^read;dur=[\d.]+, parse;dur=[\d.]+, compute;dur=[\d.]+, write;dur=[\d.]+$/,
    );
    expect(headers.get("x-request-id")).toBe("abc-1");
    const forged = await post(PAIRS, pairs, service, { "x-request-id": "a b\u00e9" });
    expect(forged.headers.get("x-request-id")).toMatch(/^[\da-f-]{36}$/);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("pages of other origins", () => {
  const from = (origin: string) => ({ origin });
  const allow = (headers: Headers): string | null => headers.get("access-control-allow-origin");

  test("may not call unless they are let in", async () => {
    expect(allow((await post(PAIRS, pairs, service, from("https://a.example"))).headers)).toBeNull();
  });

  test("of any origin", async () => {
    const open = createService({ cors: true });
    expect(allow((await post(PAIRS, pairs, open, from("https://a.example"))).headers)).toBe("*");
    expect(allow((await post(PAIRS, "{", open, from("https://a.example"))).headers)).toBe("*");
  });

  test("of those that are named, and their browsers ask first", async () => {
    const some = createService({ cors: ["https://a.example"] });
    const asked = {
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,x-api-key",
    };
    const { status, headers } = await get(
      PAIRS,
      { method: "OPTIONS", headers: { ...asked, ...from("https://a.example") } },
      some,
    );
    expect([status, allow(headers), headers.get("vary")]).toEqual([204, "https://a.example", "origin"]);
    expect(headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
    expect(headers.get("access-control-allow-headers")).toBe("content-type,x-api-key");
    const other = await get(PAIRS, { method: "OPTIONS", headers: { ...asked, ...from("https://b.example") } }, some);
    expect([allow(other.headers), other.headers.get("vary")]).toEqual([null, "origin"]);
  });

  test.each([["https://a.example/"], ["a.example"], [["https://a.example", 3]], [7], [{}]])(
    "%j is no origin",
    (cors) => {
      expect(() => createService({ cors: cors as string })).toThrow(/cors: expected true, false or origins/);
    },
  );
});

describe("who may call", () => {
  const guarded = createService({
    authorize: (request, env) => request.headers.get("authorization") === `Bearer ${(env as { KEY: string }).KEY}`,
  });
  const call = (path: string, headers: HeadersInit) =>
    guarded.fetch(requestOf(path, { headers }), { KEY: "secret" }).then((response) => response.status);

  test("is asked, about all but health", async () => {
    expect(await call("/v1/losses", { authorization: "Bearer secret" })).toBe(200);
    expect(await call("/v1/losses", {})).toBe(401);
    expect(await call("/openapi.json", {})).toBe(401);
    expect(await call("/health", {})).toBe(200);
  });

  test("a hook may answer itself; one that says nothing lets nobody in; one that throws tells nothing", async () => {
    const redirect = createService({ authorize: async () => Response.redirect("https://login.example/", 302) });
    expect((await get("/v1/losses", {}, redirect)).status).toBe(302);
    for (const verdict of [undefined, null, 1, "yes", { user: 1 }]) {
      const careless = createService({ authorize: () => verdict as never });
      expect((await get("/v1/losses", {}, careless)).status).toBe(401);
    }
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const broken = createService({
      authorize: () => {
        throw new Error("the password is hunter2");
      },
    });
    const { status, json } = await get("/v1/losses", {}, broken);
    expect([status, JSON.stringify(json).includes("hunter2"), log.mock.calls.length]).toEqual([500, false, 1]);
    log.mockRestore();
  });
});

describe("backends", () => {
  test("any of this package; the numbers are its own", async () => {
    const js = createService({ backend: createJs() });
    const { loss } = (await post(PAIRS, pairs, js)).json;
    expect(loss).toBeCloseTo((await post(PAIRS, pairs)).json["loss"] as number, 6);
  });

  test("one of workers, where a call that takes too long is ended", async () => {
    const pool = await createPool({ workers: 1 });
    try {
      const patient = createService({ backend: pool });
      expect((await post("/v1/linear-loss", linearBatch, patient)).status).toBe(200);
      const stuck = {
        ...pool,
        linearLoss: (_: unknown, options: { signal: AbortSignal }) => untilAborted(options.signal),
      };
      const { json } = await post(
        "/v1/linear-loss",
        linearBatch,
        createService({ backend: stuck as never, maxMillis: 20 }),
      );
      expect(json).toMatchObject({ status: 413, code: "aborted", detail: expect.stringMatching(/20 ms/) });
    } finally {
      await pool.dispose();
    }
  });

  const untilAborted = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

  test("one that cannot be made is tried again", async () => {
    let tries = 0;
    const service = createService({
      backend: () => {
        if (tries++ === 0) throw new BackendError("unavailable", "wasm: not here");
        return createJs();
      },
    });
    const first = await post(PAIRS, pairs, service);
    expect([first.status, first.json["detail"]]).toEqual([503, "wasm: not here"]);
    expect((await post(PAIRS, pairs, service)).status).toBe(200);
  });

  test("what is none", async () => {
    const { status, json } = await post(PAIRS, pairs, createService({ backend: {} as never }));
    expect([status, json["detail"]]).toEqual([503, "backend: expected a backend, got an object"]);
  });

  test("a fault is answered without its words", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const faulty = { ...createJs(), pairLoss: () => Reflect.apply(String.prototype.at, null, []) };
    const { status, json } = await post(PAIRS, pairs, createService({ backend: faulty as never }));
    expect([status, json["detail"], log.mock.calls.length]).toEqual([500, expect.stringMatching(/^a fault/), 1]);
    log.mockRestore();
  });
});

test.each<[object, RegExp]>([
  [{ maxbytes: 1 }, /maxbytes: not an option of createService; .*did you mean maxBytes/],
  [{ maxBytes: 0 }, /maxBytes: expected an integer in 1\.\.2147483647, got 0/],
  [{ maxPairs: "3" }, /maxPairs: expected a number, got a string/],
  [{ authorize: true }, /authorize: expected a function, got a boolean/],
])("createService(%j) throws", (options, message) => expect(() => createService(options)).toThrow(message));

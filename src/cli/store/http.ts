// What a server gives by ranges of bytes (RFC 9110, section 14), as a store that is read.

import type { ReadStore } from "./types.ts";

/** Names are resolved against `base`, as if it ended with a slash; its query, such as a signature, goes with each of them, and into no message. */
export function httpStore(base: string): ReadStore {
  const folder = new URL(base);
  const { search } = folder;
  folder.search = folder.hash = "";
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";

  const ask = async (name: string, headers: Record<string, string>, method = "GET"): Promise<Response> => {
    const url = new URL(name.split("/").map(encodeURIComponent).join("/"), folder);
    url.search = search;
    // A packed body would be another one than what ranges count in.
    const response = await fetch(url, { method, headers: { ...headers, "Accept-Encoding": "identity" } }).catch(
      (error: Error & { cause?: Error }) => {
        throw new Error(`${url.origin}${url.pathname}: ${error.cause?.message || error.message}`);
      },
    );
    if (response.ok || isMissing(response)) return response;
    await response.body?.cancel();
    throw new Error(`${url.origin}${url.pathname}: the server answers ${response.status} ${response.statusText}`);
  };

  return {
    size: async (name) => {
      const response = await ask(name, {}, "HEAD");
      const length = response.headers.get("Content-Length");
      if (isMissing(response)) return undefined;
      if (length === null) throw new Error(`${folder.href}${name}: the server does not say how long it is`);
      return Number(length);
    },
    read: async (name, start, end) => {
      if (end <= start) return new Uint8Array();
      const response = await ask(name, { Range: `bytes=${start}-${end - 1}` });
      if (isMissing(response)) throw new Error(`${folder.href}${name}: not there`);
      const bytes = response.status === 206 ? new Uint8Array(await response.arrayBuffer()) : undefined;
      if (bytes?.length === end - start) return bytes;
      await response.body?.cancel().catch(() => {});
      throw new Error(
        bytes
          ? `${folder.href}${name}: ${end - start} bytes were asked for, ${bytes.length} came`
          : `${folder.href}${name}: the server gives no ranges of bytes`,
      );
    },
  };
}

const isMissing = ({ status }: Response): boolean => status === 404 || status === 410;

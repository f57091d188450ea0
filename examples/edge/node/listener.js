// From Node's requests and responses to those of fetch.

import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A listener for createServer of a service's `fetch`. */
export const listenerOf = (service) => async (incoming, outgoing) => {
  // fetch knows no such requests.
  if (incoming.method === "TRACE") return outgoing.writeHead(405, { allow: "GET, HEAD, POST, OPTIONS" }).end();
  const gone = new AbortController();
  // Callers who leave, so that nothing is computed for them.
  outgoing.on("close", () => outgoing.writableFinished || gone.abort());
  try {
    const response = await service.fetch(requestOf(incoming, gone.signal));
    // What is left of a body that was refused is read and dropped: its sender waits for the answer until it is sent.
    incoming.unpipe().resume();
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body) await pipeline(Readable.fromWeb(response.body), outgoing);
    else outgoing.end();
  } catch {
    // A target that is no URL, or a connection that is gone.
    if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeHead(400).end();
    else outgoing.destroy();
  }
};

function requestOf(incoming, signal) {
  const { method, url, headers } = incoming;
  // A stream of its own: the service may end it, and the connection stays.
  const body = () => Readable.toWeb(incoming.pipe(new PassThrough()));
  const hasBody = method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
  return new Request(new URL(url, "http://localhost"), {
    method,
    headers: Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one])),
    signal,
    ...(hasBody ? { body: body(), duplex: "half" } : {}),
  });
}

// The bytes of a request: no more than allowed, and no longer waited for than allowed. Nothing that it says of itself is believed.

import { refusalOf, refuse } from "./problem.ts";

/** Throws    a refusal: 413, 408 */
export async function readBody(request: Request, maxBytes: number, deadline: AbortSignal): Promise<Uint8Array> {
  const tooLarge = () =>
    refuse(413, `body: expected at most ${maxBytes} bytes, got more`, { code: "out-of-range", field: "body" });
  const said = Number(request.headers.get("content-length") ?? 0);
  if (said > maxBytes) throw tooLarge();
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const stop = (): void => void reader.cancel().catch(() => {});
  deadline.addEventListener("abort", stop);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (deadline.aborted) throw refuse(408, "body: it did not come in time", { code: "aborted", field: "body" });
      if (done) break;
      size += value.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    stop();
    // A connection that broke off: nobody reads the answer.
    throw refusalOf(error) ? error : refuse(400, "body: it broke off", { code: "aborted", field: "body" });
  } finally {
    deadline.removeEventListener("abort", stop);
  }
  return join(chunks, size);
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = chunks;
  if (chunks.length === 1 && first) return first;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

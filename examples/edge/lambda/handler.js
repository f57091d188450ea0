// AWS Lambda behind a function URL, or an HTTP API (payload format 2.0).

import { createService } from "dpo-kernels/service";

// A payload may be 6 MB, in base64.
const service = createService({ maxBytes: 4 << 20, cors: true });

export async function handler(event) {
  const { rawPath, rawQueryString, headers, body, isBase64Encoded, requestContext } = event;
  const response = await service.fetch(
    new Request(`https://${requestContext.domainName}${rawPath}?${rawQueryString ?? ""}`, {
      method: requestContext.http.method,
      headers,
      body: body === undefined ? undefined : Buffer.from(body, isBase64Encoded ? "base64" : "utf8"),
    }),
  );
  const bytes = Buffer.from(await response.arrayBuffer());
  const isText = response.headers.get("content-type")?.includes("json") ?? true;
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: bytes.toString(isText ? "utf8" : "base64"),
    isBase64Encoded: !isText,
  };
}

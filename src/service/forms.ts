// In which form a request comes, and its answer goes: JSON or safetensors.

import { refuse } from "./problem.ts";

export type Form = "json" | "tensors";

const json = /^application\/(?:[\w.-]+\+)?json$/;
// Safetensors have no type of their own; registries serve them as the first.
const tensors = /^application\/(?:octet-stream|(?:x-|vnd\.)?safetensors)$/;

/** Throws    a refusal: 415 */
export function formOf(request: Request): Form {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw refuse(415, "content-encoding: expected none");
  const type = mediaType(request.headers.get("content-type") ?? "");
  if (json.test(type)) return "json";
  if (tensors.test(type)) return "tensors";
  throw refuse(415, "content-type: expected application/json, or application/octet-stream for safetensors", {
    code: "wrong-kind",
    field: "content-type",
  });
}

const mediaType = (text: string): string => (text.split(";", 1)[0] as string).trim().toLowerCase();

/** The first form that the request accepts, else that of its body. Throws    a refusal: 406 */
export function wantedForm(request: Request, form: Form): Form {
  const accept = request.headers.get("accept") ?? "";
  const types = accept
    .split(",")
    .map(mediaType)
    .filter((type) => type !== "");
  if (types.length === 0) return form;
  for (const type of types) {
    if (json.test(type)) return "json";
    if (tensors.test(type)) return "tensors";
    if (type === "*/*" || type === "application/*") return form;
  }
  throw refuse(406, "accept: expected application/json or application/octet-stream");
}

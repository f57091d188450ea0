// An adapter of a head, as a caller gives it.

import { recordOf } from "../checks/record.ts";
import type { Lora } from "../types.ts";

/** The fields of an adapter, read once. Throws    KindError, ParamError for names that are none */
export const readLoraFields = recordOf<Lora>({ what: "lora", field: "a part of an adapter" }, [
  "a",
  "b",
  "rank",
  "scale",
]);

// The refusal of a loss that is not in the table.

import { didYouMean } from "../checks/hints.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { quoted } from "../checks/printable.ts";
import { ParamError } from "../errors.ts";
import { lossTypes } from "./index.ts";
import { otherNames } from "./old-names.ts";

/** The error for a name that is no loss, with what is known of it: a note, or the loss that was probably meant. */
export function unknownLoss(where: string, name: string): ParamError {
  const key = name.toLowerCase().replace(/[- ]/g, "_");
  const note = Object.hasOwn(otherNames, key)
    ? `: ${otherNames[key]}`
    : didYouMean(name, lossTypes, { synonyms: lossSynonyms, show: quoted });
  return new ParamError(
    "unknown-loss",
    `${where}: expected one of ${lossTypes.join(", ")}, got ${quoted(name)}${note}`,
  );
}

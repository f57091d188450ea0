// For typedoc: what the house's doc comments say line by line, "Throws    …", "Shapes    …", stays line by line, in bold at its beginning.

import { Converter } from "typedoc";

const lines = /\n(Shapes|Returns|Throws|Error|Note|Paper) {2,}/g;

export function load({ converter }) {
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of Object.values(project.reflections)) {
      for (const part of reflection.comment?.summary ?? []) {
        if (part.kind === "text") part.text = part.text.replace(lines, "\n\n**$1** ");
      }
    }
  });
}

// What as-pect adds to each class so that `toStrictEqual` can compare fields.
//
// @as-pect/transform 8.1.0 has the NodeKind numbers of AssemblyScript 0.27 compiled in; 0.28.17 inserted a kind, and
// every later one moved. Its helpers therefore see the old numbers while they run; else they compile but compare nothing.
//
// It lies in the root since asc resolves "./folder/file" of a configuration to a package named "folder".

import { createAddReflectedValueKeyValuePairsMember } from "@as-pect/transform/lib/createAddReflectedValueKeyValuePairsMember.js";
import { createStrictEqualsMember } from "@as-pect/transform/lib/createStrictEqualsMember.js";
import { NodeKind } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

const oldKinds = new Map([
  [NodeKind.FieldDeclaration, 54],
  [NodeKind.MethodDeclaration, 58],
]);

function withOldKinds(declaration, make) {
  const kinds = declaration.members.map((member) => member.kind);
  for (const member of declaration.members) member.kind = oldKinds.get(member.kind) ?? -1;
  try {
    return make(declaration);
  } finally {
    declaration.members.forEach((member, i) => {
      member.kind = kinds[i];
    });
  }
}

function visit(statements) {
  for (const statement of statements) {
    if (statement.kind === NodeKind.NamespaceDeclaration) visit(statement.members);
    if (statement.kind !== NodeKind.ClassDeclaration) continue;
    const equals = withOldKinds(statement, createStrictEqualsMember);
    const fields = withOldKinds(statement, createAddReflectedValueKeyValuePairsMember);
    statement.members.push(equals, fields);
  }
}

export default class extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) visit(source.statements);
  }
}

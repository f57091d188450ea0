// Members of Python's enumerations, as configurations hold them: by value, by name, or as Python prints them.

/**
 * The value of a member: `cosine` for "cosine", "SchedulerType.COSINE", "<SchedulerType.COSINE: 'cosine'>". What is none of
 * these stays as it is.
 */
export function memberOf(type: string, text: string): string {
  const [, printed] = /^<\w+\.\w+: ['"](\w+)['"]>$/.exec(text) ?? [];
  if (printed !== undefined && text.startsWith(`<${type}.`)) return printed;
  return text.startsWith(`${type}.`) ? text.slice(type.length + 1).toLowerCase() : text;
}

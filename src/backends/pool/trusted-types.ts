// Pages under `require-trusted-types-for 'script'` start a worker only from an address that a policy of theirs has approved.

interface Policy {
  createScriptURL(address: string): URL;
}

interface Factory {
  createPolicy(name: string, rules: { createScriptURL: (address: string) => string }): Policy;
}

let policy: Policy | undefined;

/** The address as the page trusts it; as it is where nothing is to be trusted. Pages may allow the policy by its name. */
export function trusted(address: URL | string): URL | string {
  const { trustedTypes } = globalThis as { trustedTypes?: Factory };
  policy ??= trustedTypes?.createPolicy("dpo-kernels", { createScriptURL: (own) => own });
  return policy?.createScriptURL(String(address)) ?? address;
}

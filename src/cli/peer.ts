// Libraries that users of some options install beside this package.

import { refusal } from "./refusal.ts";

/** Imports a library by a name that bundlers do not follow. Throws    a refusal with the command that installs it, where it is missing */
export async function importPeer<T>(name: string, needer: string, install = name): Promise<T> {
  try {
    return await import(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // What a library itself fails to find is another matter.
    if (code !== "ERR_MODULE_NOT_FOUND" || !String(error).includes(`'${name}'`)) throw error;
    throw Object.assign(refusal(`${needer} needs ${name}: npm install ${install}`), { exitCode: 1 });
  }
}

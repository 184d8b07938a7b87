import { RtError } from "../base/errors.ts";
import { stringIn } from "../oci/json.ts";
import { type AuthEntry, changeAuths, credentialsFileIfThere, type LockFile } from "./auth-file.ts";
import type { Credential } from "./credential.ts";
import { eraseFromHelper, type HelperOptions, listOfHelper, storeInHelper } from "./credential-helper.ts";
import { helperIn } from "./credentials.ts";
import { bareKey, hubHosts, hubKey, type ServerName } from "./server-name.ts";

/** Docker's file, and the helpers that it names. */
export interface CredentialPlace extends HelperOptions {
  path: string;
  lock: LockFile;
}

/**
 * Keeps a credential where docker would: at the helper that the file names for this server, else in the file itself. The helper
 * comes first, and a failure of it leaves the file as it was.
 * @returns whether it stands in the file from here on, and has not done so before
 */
export async function storeCredential(
  { path, lock, ...options }: CredentialPlace,
  { domain, key }: ServerName,
  credential: Exclude<Credential, { kind: "bearer" }>,
  username: string,
): Promise<boolean> {
  let isInFile = true;
  const isChanged = await changeAuths(path, lock, async (auths, whole) => {
    const helper = helperIn(whole, domain, `credentials file ${path}`);
    if (helper) {
      await storeInHelper(helper, key, credential, options);
      isInFile = false;
    }
    auths.set(key, helper ? {} : entryOf(credential, username));
  });
  return isInFile && isChanged;
}

/** Takes away what a login has left, under each of the names that the server has had in such files. */
export async function eraseCredential(
  { path, lock, ...options }: CredentialPlace,
  { domain, key }: ServerName,
): Promise<void> {
  if ((await credentialsFileIfThere(path)) === undefined) return;
  const isThisServer = (name: string) =>
    key === hubKey ? name === hubKey || hubHosts.has(bareKey(name)) : bareKey(name).toLowerCase() === key;
  await changeAuths(path, lock, async (auths, whole) => {
    const helper = helperIn(whole, domain, `credentials file ${path}`);
    if (helper) {
      await eraseFromHelper(helper, key, options);
      for (const name of await otherNames(helper, options))
        if (name !== key && isThisServer(name)) await eraseFromHelper(helper, name, options);
    }
    for (const name of [...auths.keys()].filter(isThisServer)) auths.delete(name);
  });
}

/** Not every helper can list what it has; those names are of old files only. */
async function otherNames(helper: string, options: HelperOptions): Promise<string[]> {
  try {
    return await listOfHelper(helper, options);
  } catch (error) {
    if (error instanceof RtError) return [];
    throw error;
  }
}

function entryOf(credential: Exclude<Credential, { kind: "bearer" }>, username: string): AuthEntry {
  const password = credential.kind === "basic" ? credential.password : "";
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  return credential.kind === "identity" ? { auth, identitytoken: credential.token } : { auth };
}

/** @throws RtError invalid-argument: what a credentials file has no place for */
export function checkUsername(username: string): string {
  if (username === "") throw new RtError("invalid-argument", "username is empty");
  if (username.includes(":"))
    throw new RtError("invalid-argument", "the user name has a colon in it, which ends it in every login");
  return stringIn(username, "the user name");
}

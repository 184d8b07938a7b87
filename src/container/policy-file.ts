import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../base/errors.ts";
import type { RestartPolicy } from "../settings/restart.ts";

/** The restart policy of a container that runs, for its monitor, which was told of another one when it began. */
export function writePolicy(directory: string, { name, retries }: RestartPolicy): void {
  const draft = join(directory, "policy.new");
  try {
    writeFileSync(draft, name === "no" ? "no\n" : `${name} ${retries}\n`, { mode: 0o600 });
    renameSync(draft, join(directory, "policy"));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // it does not run
  }
}

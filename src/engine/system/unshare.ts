import { RtError } from "../../base/errors.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { becomeApart } from "../../rootless/unshare.ts";
import type { Host } from "../host.ts";

/**
 * This process becomes `command`, or a shell when it is empty, as root of its ordinary user's namespace.
 * @throws RtError invalid-argument: the caller is root; not-found | forbidden: the program (127, 126)
 */
export async function unshare(host: Host, command: readonly string[]): Promise<void> {
  const caller = rootlessCaller(host.env);
  if (!caller)
    throw new RtError("invalid-argument", "unshare is for ordinary users: root sees the files as they are");
  const [path, shell] = [host.caller.get("PATH"), host.caller.get("SHELL")];
  becomeApart(command, caller, { PATH: path, SHELL: shell });
}

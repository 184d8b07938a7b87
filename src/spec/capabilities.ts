import { RtError } from "../base/errors.ts";
import { allCapabilities } from "../settings/capability.ts";

/** What a container has unless asked otherwise: Docker's without AUDIT_WRITE, MKNOD and NET_RAW, as podman's. */
export const defaultCapabilities: readonly string[] =
  "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
    .split(" ")
    .map((name) => `CAP_${name}`);

/**
 * Docker's arithmetic: drops are taken from the defaults (or from all, with ALL among the adds), adds are put on top; a
 * capability that is both added and dropped by name is dropped, unless ALL was dropped.
 * @throws RtError invalid-argument for a name that Linux does not have.
 */
export function resolveCapabilities(
  add: readonly string[],
  drop: readonly string[],
  privileged: boolean,
): string[] {
  for (const name of [...add, ...drop]) {
    if (name !== "ALL" && !allCapabilities.includes(name)) {
      throw new RtError("invalid-argument", `unknown capability ${name}: see capabilities(7) for the names`);
    }
  }
  if (privileged) return [...allCapabilities];
  const base = add.includes("ALL") ? allCapabilities : drop.includes("ALL") ? [] : defaultCapabilities;
  const dropped = new Set(drop);
  const kept = base.filter((name) => !dropped.has(name));
  const added = add.filter((name) => name !== "ALL" && !dropped.has(name) && !kept.includes(name));
  return allCapabilities.filter((name) => kept.includes(name) || added.includes(name));
}

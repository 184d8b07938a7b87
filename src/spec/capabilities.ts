import { RtError } from "../base/errors.ts";

/** Every capability up to Linux 6.18, capabilities(7). */
export const allCapabilities: readonly string[] = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
  .split(" ")
  .map((name) => `CAP_${name}`);

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

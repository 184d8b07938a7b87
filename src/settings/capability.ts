import { invalid, quote } from "../base/invalid.ts";

/** Every capability up to Linux 6.18, capabilities(7), in their numbers' order. */
export const allCapabilities: readonly string[] = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
  .split(" ")
  .map((name) => `CAP_${name}`);

/** "net_admin", "CAP_NET_ADMIN", "all" -> "CAP_NET_ADMIN", "ALL". @throws RtError invalid-argument */
export function parseCapability(text: string, flag: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (name === "ALL") return name;
  const capability = `CAP_${name}`;
  if (!allCapabilities.includes(capability))
    throw invalid(`invalid ${flag} ${quote(text)}: no capability has that name`);
  return capability;
}

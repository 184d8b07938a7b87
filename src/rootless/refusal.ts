import { readFileSync } from "node:fs";
import { RtError } from "../base/errors.ts";

const phrase = "an ordinary user's containers need a user namespace";

/** Why an ordinary user may not have a user namespace here, by what the kernel answered and what it is told to allow. */
export function namespaceRefusal(errno: string): RtError {
  if (errno === "EINVAL" || errno === "ENOSYS")
    return new RtError(
      "unsupported",
      `${phrase}, and this kernel has none (CONFIG_USER_NS): use sudo (${errno})`,
    );
  const limit = textOf("/proc/sys/user/max_user_namespaces");
  if (errno === "ENOSPC" || errno === "EUSERS") {
    const why = limit === "0" ? "they are switched off" : `there are as many as there may be (${limit})`;
    const remedy = "sudo sysctl -w user.max_user_namespaces=28633";
    return new RtError(
      "exhausted",
      `${phrase}, and ${why} by user.max_user_namespaces: ${remedy} (${errno})`,
    );
  }
  if (errno !== "EPERM" && errno !== "EACCES") return new RtError("unavailable", `${phrase}: ${errno}`);
  return new RtError("forbidden", `${phrase}, and ${reason()} (${errno})`);
}

function reason(): string {
  if (textOf("/proc/sys/kernel/unprivileged_userns_clone") === "0")
    return "they are switched off by kernel.unprivileged_userns_clone: sudo sysctl -w kernel.unprivileged_userns_clone=1";
  if (textOf("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1")
    return (
      'AppArmor lets programs have one by their profile only: give rt\'s one with "userns," in it (docs/rootless.md), ' +
      "or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    );
  return "the kernel refuses it: a container, a chroot or a security module (LSM, seccomp) around this shell forbids it: use sudo";
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

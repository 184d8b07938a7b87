import { existsSync, readFileSync } from "node:fs";
import { isErrno } from "../base/errors.ts";

/** What of the kernel's security modules is at work on this host. */

/** "Y" where it is on. */
const apparmorSwitch = "/sys/module/apparmor/parameters/enabled";
const selinuxDirectory = "/sys/fs/selinux";

/** One cheap look at what many hosts do not have. */
export function mayHaveApparmor(): boolean {
  return existsSync(apparmorSwitch);
}

export function hasApparmor(): boolean {
  return textOf(apparmorSwitch).startsWith("Y");
}

/** @returns undefined where nobody says which ones are loaded, as in a container */
export function loadedProfiles(): Set<string> | undefined {
  // "NAME (enforce)" each; a child profile is "PARENT//NAME".
  const text = textOf("/sys/kernel/security/apparmor/profiles");
  if (text === "") return undefined;
  return new Set(text.split("\n").map((line) => line.replace(/ \([a-z]+\)$/, "")));
}

export function hasSelinux(): boolean {
  return existsSync(`${selinuxDirectory}/enforce`);
}

/**
 * What the host's policy has for containers: "process" and "file" of lxc_contexts(5).
 * @returns undefined where it has nothing
 */
export function selinuxContexts(): { process: string; file: string } | undefined {
  const type = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(textOf("/etc/selinux/config"))?.[1] ?? "targeted";
  if (!/^[\w-]+$/.test(type)) return undefined;
  const text = textOf(`/etc/selinux/${type}/contexts/lxc_contexts`);
  const contextOf = (key: string) => new RegExp(`^\\s*${key}\\s*=\\s*"?([^"\\s]+)"?`, "m").exec(text)?.[1];
  const [process, file] = [contextOf("process"), contextOf("file")];
  return process && file ? { process, file } : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "EACCES", "EPERM", "ENOTDIR"].some((code) => isErrno(error, code))) return "";
    throw error;
  }
}

import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { cut } from "./labels.ts";

/** Those that belong to an ipc namespace, with fs.mqueue.*; net.* belong to a network namespace. */
const ipc = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

const ownFlag: Readonly<Record<string, string>> = {
  "kernel.hostname": "--hostname",
  "kernel.domainname": "--domainname",
};

/** `--sysctl net.core.somaxconn=1024`, last wins. @throws RtError invalid-argument: none that a namespace has */
export function parseSysctls(texts: readonly string[], what = "--sysctl"): Record<string, string> {
  if (texts.length === 0) return {};
  const sysctls = new Map<string, string>();
  for (const text of texts) {
    const [key, value] = cut(rejectControl(what, text));
    if (value === undefined || key === "") throw invalid(`invalid ${what} ${quote(text)}: want KEY=VALUE`);
    if (!/^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$/.test(key))
      throw invalid(`invalid ${what} ${quote(text)}: bad name`);
    const name = dotted(key);
    const flag = ownFlag[name];
    if (flag) throw invalid(`invalid ${what} ${quote(text)}: ${flag} sets ${name}`);
    if (!ipc.has(name) && !name.startsWith("net.") && !name.startsWith("fs.mqueue.")) {
      throw invalid(`invalid ${what} ${quote(text)}: ${name} is the host's, not the container's`);
    }
    sysctls.set(name, value);
  }
  return Object.fromEntries(sysctls);
}

/** In which namespace a parameter is set that `parseSysctls` has let through. */
export function namespaceOfSysctl(key: string): "network" | "ipc" {
  return dotted(key).startsWith("net.") ? "network" : "ipc";
}

/** sysctl(8): what separates first, dot or slash, is the separator; "net/ipv4/conf/eth0.1/x" keeps its dot as a slash. */
function dotted(key: string): string {
  const slashes = key.indexOf("/") >= 0 && (key.indexOf(".") < 0 || key.indexOf("/") < key.indexOf("."));
  if (!slashes) return key;
  return key.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}

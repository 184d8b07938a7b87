import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { cut } from "./labels.ts";

/** Those that belong to a namespace of the container (kernel's ipc namespace; fs.mqueue.* and net.* are checked below). */
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

/** `--sysctl net.core.somaxconn=1024`, last wins. @throws RtError invalid-argument: it would change the host */
export function parseSysctls(
  texts: readonly string[],
  networkMode: "none" | "host",
  what = "--sysctl",
): Record<string, string> {
  if (texts.length === 0) return {};
  const sysctls = new Map<string, string>();
  for (const text of texts) {
    const [key, value] = cut(rejectControl(what, text));
    if (value === undefined || key === "") throw invalid(`invalid ${what} ${quote(text)}: want KEY=VALUE`);
    if (!/^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$/.test(key))
      throw invalid(`invalid ${what} ${quote(text)}: bad name`);
    const name = dotted(key);
    if (!ipc.has(name) && !name.startsWith("net.") && !name.startsWith("fs.mqueue.")) {
      throw invalid(`invalid ${what} ${quote(text)}: ${name} is the host's, not the container's`);
    }
    if (name.startsWith("net.") && networkMode === "host") {
      throw invalid(`invalid ${what} ${quote(text)}: ${name} is the host's with --network host`);
    }
    sysctls.set(name, value);
  }
  return Object.fromEntries(sysctls);
}

/** sysctl(8): what separates first, dot or slash, is the separator; "net/ipv4/conf/eth0.1/x" keeps its dot as a slash. */
function dotted(key: string): string {
  const slashes = key.indexOf("/") >= 0 && (key.indexOf(".") < 0 || key.indexOf("/") < key.indexOf("."));
  if (!slashes) return key;
  return key.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}

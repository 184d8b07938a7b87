import { RtError } from "../base/errors.ts";
import { invalid, quote } from "../base/invalid.ts";

/** What is so today: asking for exactly that is granted, asking for a profile is an honest error. */
const alreadySo = new Set(["apparmor=unconfined", "label=disable", "systempaths=confined"]);

export interface SecurityOptions {
  noNewPrivileges: boolean;
  seccomp?: "unconfined";
}

/**
 * `--security-opt no-new-privileges[:true|false]`, last wins, and `seccomp=unconfined`.
 * @throws RtError invalid-argument | unsupported
 */
export function parseSecurityOptions(texts: readonly string[], what = "--security-opt"): SecurityOptions {
  let noNewPrivileges = false;
  let unconfined = false;
  for (const text of texts) {
    const match = /^no-new-privileges(?:[:=](.*))?$/.exec(text);
    if (match) {
      if (!/^(true|false)?$/.test(match[1] ?? "true")) {
        throw invalid(`invalid ${what} ${quote(text)}: want true or false`);
      }
      noNewPrivileges = (match[1] ?? "true") === "true";
      continue;
    }
    const normal = text.replace(/^(seccomp|apparmor|label|systempaths):/, "$1=");
    if (alreadySo.has(normal)) continue;
    if (normal === "seccomp=unconfined") {
      unconfined = true;
      continue;
    }
    if (/^(seccomp|apparmor|label|systempaths)=/.test(normal)) {
      throw new RtError(
        "unsupported",
        `${what} ${quote(text)} is not there yet: profiles come in a later version`,
      );
    }
    throw invalid(`invalid ${what} ${quote(text)}: want no-new-privileges or seccomp=unconfined`);
  }
  return { noNewPrivileges, ...(unconfined && { seccomp: "unconfined" }) };
}

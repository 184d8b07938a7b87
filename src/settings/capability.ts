import { invalid, quote } from "../base/invalid.ts";
import { capabilityNames } from "../base/linux.ts";

/** Every capability up to Linux 6.18, capabilities(7). */
export const allCapabilities: readonly string[] = capabilityNames.map((name) => `CAP_${name}`);

/** "net_admin", "CAP_NET_ADMIN", "all" -> "CAP_NET_ADMIN", "ALL". @throws RtError invalid-argument */
export function parseCapability(text: string, flag: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (name === "ALL") return name;
  const capability = `CAP_${name}`;
  if (!allCapabilities.includes(capability))
    throw invalid(`invalid ${flag} ${quote(text)}: no capability has that name`);
  return capability;
}

import { invalid, quote } from "../base/invalid.ts";
import { capabilityNames } from "../base/linux.ts";
import { nearest } from "../base/nearest.ts";

/** Every capability up to Linux 6.18, capabilities(7). */
export const allCapabilities: readonly string[] = capabilityNames.map((name) => `CAP_${name}`);

/** "net_admin", "CAP_NET_ADMIN", "all" -> "CAP_NET_ADMIN", "ALL". @throws RtError invalid-argument */
export function parseCapability(text: string, flag: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (name === "ALL") return name;
  const capability = `CAP_${name}`;
  if (allCapabilities.includes(capability)) return capability;
  const meant = nearest(name, capabilityNames);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  throw invalid(`invalid ${flag} ${quote(text)}: no capability has that name${hint}`);
}

/** Nobody means both. @param what both are called @throws RtError invalid-argument */
export function checkCapabilities(add: readonly string[], drop: readonly string[], what: string): void {
  const both = add.find((name) => drop.includes(name));
  if (both !== undefined) throw invalid(`conflicting options: ${what} both name ${both}`);
}

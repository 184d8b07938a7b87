/** Where one container may do more than another: "calls: mount" for each thing that it is given, or that is not kept from it. */
import type { Facts } from "./facts.ts";

export function weaker(one: Facts, other: Facts): string[] {
  const given = (facts: Facts): [string, readonly string[]][] => [
    ["capabilities", facts.capabilities],
    ["calls", facts.calls],
    ["callsI386", facts.callsI386],
    ["arguments", facts.arguments],
    ["written", facts.written],
    ["devices", facts.devices],
    ["madeDevices", facts.madeDevices],
    ["mounts.devices", facts.mounts.devices],
    ["mounts.setuid", facts.mounts.setuid],
    // Files like /etc/hosts are the container's own in each.
    ["mounts.written", facts.mounts.written.filter((path) => !path.startsWith("/etc/"))],
  ];
  const others = new Map(given(other));
  return [
    ...given(one).flatMap(([row, names]) => beyond(row, names, others.get(row)!)),
    ...beyond("hidden", other.hidden, one.hidden),
    ...beyond("namespaces", other.namespaces, one.namespaces),
    ...(one.seccomp < other.seccomp ? ["seccomp"] : []),
    ...(one.noNewPrivileges < other.noNewPrivileges ? ["noNewPrivileges"] : []),
    ...(isDenied(other) && !isDenied(one) ? ["keyring"] : []),
    ...(Number(one.openFiles.split(" ")[1]) > Number(other.openFiles.split(" ")[1]) ? ["openFiles"] : []),
  ];
}

function beyond(row: string, names: readonly string[], than: readonly string[]): string[] {
  return names.filter((name) => !than.includes(name)).map((name) => `${row}: ${name}`);
}

function isDenied({ keyring }: Facts): boolean {
  return keyring === "EPERM" || keyring === "ENOSYS";
}

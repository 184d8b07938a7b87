/** What containers leave in a network of the host's, looked for in that of this process. */
import { existsSync, readFileSync } from "node:fs";

/** In this process's network namespace, which /sys need not show. */
export function links(): string[] {
  return readFileSync("/proc/self/net/dev", "utf8")
    .split("\n")
    .flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? []);
}

export function firewallTables(): string[] {
  const nft = Bun.which("nft", { PATH: `${process.env.PATH}:/usr/sbin:/sbin` });
  if (nft === null) return [];
  const { stdout } = Bun.spawnSync([nft, "list", "tables"], { stderr: "ignore" });
  return stdout.toString().split("\n").filter(Boolean);
}

/** What containers change of a host's network: their interfaces, tables, and what is forwarded. */
export function networkTraces(): string[] {
  const ours = links().filter((name) => /^(rt|veth)/.test(name));
  const forwarding = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"].map(
    (name) => `${name} = ${settingOf(name)}`,
  );
  return [...ours, ...firewallTables(), ...forwarding];
}

/** A kernel may lack a family. */
function settingOf(name: string): string {
  const path = `/proc/sys/net/${name}`;
  return existsSync(path) ? readFileSync(path, "latin1").trim() : "";
}

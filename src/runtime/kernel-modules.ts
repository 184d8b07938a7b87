import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { RtError, withCause } from "../base/errors.ts";
import { loadModule } from "../native/system.ts";

/** Modules of the running kernel, as depmod(8) has listed them: "kernel/net/a.ko: kernel/lib/b.ko kernel/lib/c.ko". */
export class ModuleTable {
  readonly #files = new Map<string, string[]>();

  constructor(dependencies: string) {
    for (const line of dependencies.split("\n")) {
      const [file, needs] = line.split(":", 2);
      if (!file || needs === undefined) continue;
      this.#files.set(nameOf(file), [file, ...needs.split(" ").filter(Boolean)]);
    }
  }

  /** What is to be loaded for it, in this order, or undefined: it is not listed. What is needed stands behind who needs it. */
  order(name: string): string[] | undefined {
    return this.#files.get(nameOf(name))?.toReversed();
  }
}

/** "nf_nat" of "kernel/net/netfilter/nf-nat.ko.xz": the kernel makes no difference between the dashes. */
function nameOf(file: string): string {
  return file
    .replace(/^.*\//, "")
    .replace(/\.ko(\.\w+)?$/, "")
    .replaceAll("-", "_");
}

/**
 * What rt itself asks the kernel for, where a kernel has it as a module: images, networks, their fences and limits. Nobody else
 * loads them on a machine that has no modprobe(8).
 */
export const ownModules = [
  ...["overlay", "af_packet", "bridge", "veth", "macvlan", "ipvlan"],
  ...["nf_tables", "nft_chain_nat", "nft_ct", "nft_masq", "nft_nat", "nft_redir", "nft_limit", "nft_log"],
  ...[
    "nft_fib_ipv4",
    "nft_fib_ipv6",
    "nft_fib_inet",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_reject_inet",
  ],
  ...["nft_meta_bridge", "nft_reject_bridge", "nf_conntrack_netlink"],
  ...["ifb", "sch_tbf", "sch_ingress", "cls_u32", "act_mirred"],
];

/** Nobody is to take them for a way to the outside: two are made unless it is said. */
const parameters: Readonly<Record<string, string>> = { ifb: "numifbs=0" };

/**
 * `names`, and all that they need; one that is there, or is a part of the kernel, is fine. Of rt's own those that lie in
 * /lib/modules: what cannot be had of these is told.
 * @throws RtError: one of `names` cannot be had
 */
export function loadModules(names: readonly string[], say: (line: string) => void): void {
  const directory = `/lib/modules/${release()}`;
  if (names.length === 0 && !existsSync(`${directory}/modules.dep`)) return;
  const table = new ModuleTable(textOf(`${directory}/modules.dep`));
  const missing = names.filter((name) => !table.order(name));
  const builtIn = missing.length > 0 ? builtInto(directory) : table;
  for (const name of names) {
    const files = table.order(name);
    if (!files && !builtIn.order(name)) {
      throw new RtError("not-found", `cannot load module ${name}: ${directory}/modules.dep does not have it`);
    }
    for (const file of files ?? []) load(name, `${directory}/${file}`);
  }
  for (const name of ownModules) {
    const files = table.order(name)?.map((file) => `${directory}/${file}`) ?? [];
    if (!files.every((file) => existsSync(file))) continue;
    try {
      for (const file of files) load(name, file);
    } catch (error) {
      say((error as Error).message);
    }
  }
}

/** What the kernel has without a module. */
function builtInto(directory: string): ModuleTable {
  return new ModuleTable(textOf(`${directory}/modules.builtin`).replaceAll(/$/gm, ":"));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw withCause("cannot load modules", error);
  }
}

function load(name: string, file: string): void {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    throw withCause(`cannot load module ${name}`, error);
  }
  try {
    loadModule(fd, parameters[nameOf(file)] ?? "", !file.endsWith(".ko"), `cannot load module ${name}`);
  } finally {
    closeSync(fd);
  }
}

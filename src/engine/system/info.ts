import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { hostname, machine, release, totalmem, type } from "node:os";
import { version } from "../../base/build-info.ts";
import { isErrno } from "../../base/errors.ts";
import { rootlessCaller } from "../../base/rootless.ts";
import { readCdiRegistry } from "../../container/cdi-registry.ts";
import { type Info, infoDocument } from "../../docker/info.ts";
import { defaultPools } from "../../network/pools.ts";
import { groupPlace } from "../../runtime/group-place.ts";
import { limitsIn } from "../../runtime/host-limits.ts";
import { hasApparmor, hasSelinux } from "../../runtime/security-modules.ts";
import { howToDelegate, usualManager } from "../container/group.ts";
import { list } from "../container/list.ts";
import type { Host } from "../host.ts";

export async function info(host: Host): Promise<Info> {
  const cdi = readCdiRegistry((await host.config()).cdiSpecDirs);
  const live = await list(host, { all: false, filters: {} });
  const paused = live.filter(({ state }) => state === "paused").length;
  const place = groupPlace();
  const { registries } = await host.config();
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy } = host.env;
  return infoDocument({
    id: idOf(`${textOf("/etc/machine-id").trim()} ${host.paths.root}`),
    fileSystem: fileSystemOf(host.paths.root),
    openFiles: readdirSync("/proc/self/fd").length,
    time: new Date().toISOString(),
    ipv4Forwarding: textOf("/proc/sys/net/ipv4/ip_forward").trim() === "1",
    registries: new Map(
      [...registries].map(([name, { mirrors = [], insecure = false }]) => [name, { mirrors, insecure }]),
    ),
    proxies: {
      http: HTTP_PROXY ?? http_proxy ?? "",
      https: HTTPS_PROXY ?? https_proxy ?? "",
      none: NO_PROXY ?? no_proxy ?? "",
    },
    addressPools: defaultPools,
    version,
    containers: host.containers.count(),
    running: live.length - paused,
    paused,
    images: host.images.count(),
    driver: (await host.snapshots()).name,
    cgroupManager:
      place.kind === "nowhere" ? "none" : ((await host.config()).cgroupManager ?? usualManager()),
    cgroupVersion: cgroupVersion(textOf("/proc/self/mountinfo")),
    limits: limitsIn(place),
    kernel: { type: type(), release: release(), machine: machine() },
    operatingSystem: operatingSystem(textOf("/etc/os-release")),
    processors: navigator.hardwareConcurrency,
    memory_bytes: totalmem(),
    hostname: hostname(),
    ...host.paths,
    storeLimit: (await host.config()).storeLimit ?? 0,
    seccompProfile: (await host.config()).seccompProfile ?? "builtin",
    securityModules: [...(hasApparmor() ? ["apparmor"] : []), ...(hasSelinux() ? ["selinux"] : [])],
    ownUsers: !["", "host"].includes((await host.config()).userns ?? ""),
    cdiDirectories: cdi.directories,
    cdiDevices: [...cdi.entries.keys()].sort(),
    isRootless: rootlessCaller(host.env) !== undefined || process.geteuid?.() !== 0,
    warnings: [
      ...(place.kind === "nowhere"
        ? [`containers have no limits, and none can be paused: ${howToDelegate}`]
        : []),
      ...cdi.problems.map((problem) => `CDI specification ${problem}`),
    ],
  });
}

/** In the form of a UUID: the same as long as the store is where it is. */
function idOf(place: string): string {
  const digits = new Bun.CryptoHasher("sha256").update(place).digest("hex");
  return digits.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** statfs(2)'s numbers, in Docker's words. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: "extfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs",
  2035054128: "overlayfs",
  801189825: "zfs",
  4076150800: "f2fs",
};

function fileSystemOf(directory: string): string {
  try {
    return fileSystems[Number(statfsSync(directory).type)] ?? "";
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}

/** "2", "1", "hybrid" (controllers on v1, a v2 tree beside them), or "none". */
export function cgroupVersion(mountinfo: string): string {
  // Fields up to " - " are the mount's, then comes the file system type (proc_pid_mountinfo(5)).
  const lines = mountinfo.split("\n").map((line) => line.split(" - ")[1] ?? "");
  const v1 = lines.some((line) => /^cgroup .*\b(cpu|memory|pids)\b/.test(line));
  const v2 = lines.some((line) => line.startsWith("cgroup2 "));
  if (v1) return v2 ? "hybrid" : "1";
  return v2 ? "2" : "none";
}

export function operatingSystem(osRelease: string): string {
  const match = /^PRETTY_NAME=(?:"([^"]*)"|'([^']*)'|(.*))$/m.exec(osRelease);
  return match?.[1] ?? match?.[2] ?? match?.[3] ?? "Linux";
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "EACCES")) return "";
    throw error;
  }
}

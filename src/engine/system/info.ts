import { readFileSync } from "node:fs";
import { hostname, machine, release, totalmem, type } from "node:os";
import { version } from "../../base/build-info.ts";
import { isErrno } from "../../base/errors.ts";
import { type Info, infoDocument } from "../../docker/info.ts";
import { list } from "../container/list.ts";
import type { Host } from "../host.ts";

export async function info(host: Host): Promise<Info> {
  const live = await list(host, { all: false, filters: {} });
  const paused = live.filter(({ state }) => state === "paused").length;
  return infoDocument({
    version,
    containers: host.containers.count(),
    running: live.length - paused,
    paused,
    images: host.images.count(),
    driver: (await host.snapshots()).name,
    cgroupVersion: cgroupVersion(textOf("/proc/self/mountinfo")),
    kernel: { type: type(), release: release(), machine: machine() },
    operatingSystem: operatingSystem(textOf("/etc/os-release")),
    processors: navigator.hardwareConcurrency,
    memory_bytes: totalmem(),
    hostname: hostname(),
    ...host.paths,
    warnings: warnings(),
  });
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

function warnings(): string[] {
  const list = [
    "no bridge networks yet: --network is none, host, container:NAME or ns:PATH",
    "no limits on memory and CPU yet",
    "a small fixed seccomp filter, no profiles yet",
  ];
  return process.geteuid?.() === 0
    ? list
    : ["not root: containers cannot be run (rootless comes later)", ...list];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "EACCES")) return "";
    throw error;
  }
}

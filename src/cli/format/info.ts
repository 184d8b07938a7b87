import { visible } from "../../base/visible.ts";
import type { Info } from "../../docker/info.ts";

/** `rt info` for people: as Docker's, "WARNING:" lines last. */
export function infoText(facts: Info): string {
  const gibibytes = `${Number((facts.MemTotal / 2 ** 30).toPrecision(4))}GiB`;
  const lines: [string, string | number][] = [
    ["Containers", facts.Containers],
    [" Running", facts.ContainersRunning],
    [" Paused", facts.ContainersPaused],
    [" Stopped", facts.ContainersStopped],
    ["Images", facts.Images],
    ["Version", facts.ServerVersion],
    ["Storage Driver", facts.Driver],
    ["Logging Driver", facts.LoggingDriver],
    ["Cgroup Driver", facts.CgroupDriver],
    ["Cgroup Version", facts.CgroupVersion],
    ["Kernel Version", facts.KernelVersion],
    ["Operating System", facts.OperatingSystem],
    ["OSType", facts.OSType],
    ["Architecture", facts.Architecture],
    ["CPUs", facts.NCPU],
    ["Total Memory", gibibytes],
    ["Name", facts.Name],
    ["Root Dir", facts.DockerRootDir],
    ["State Dir", facts.StateDir],
  ];
  const warnings = facts.Warnings.map((warning) => `WARNING: ${visible(warning)}\n`).join("");
  return lines.map(([name, value]) => `${name}: ${visible(String(value))}\n`).join("") + warnings;
}

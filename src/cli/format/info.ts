import { visible } from "../../base/visible.ts";
import type { Info } from "../../docker/info.ts";
import { binarySize } from "./human.ts";

/** `rt info` for people: as Docker's, "WARNING:" lines last. @param asDocker what scripts look for has Docker's names */
export function infoText(facts: Info, asDocker = false): string {
  const gibibytes = `${Number((facts.MemTotal / 2 ** 30).toPrecision(4))}GiB`;
  const lines: [string, string | number][] = [
    ["Containers", facts.Containers],
    [" Running", facts.ContainersRunning],
    [" Paused", facts.ContainersPaused],
    [" Stopped", facts.ContainersStopped],
    ["Images", facts.Images],
    [asDocker ? "Server Version" : "Version", facts.ServerVersion],
    ["Storage Driver", facts.Driver],
    ...(facts.StoreLimit > 0 ? [["Store Limit", binarySize(facts.StoreLimit)] as [string, string]] : []),
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
    [asDocker ? "Docker Root Dir" : "Root Dir", facts.DockerRootDir],
    ["State Dir", facts.StateDir],
  ];
  const lists: [string, string[]][] = [
    ["Security Options", facts.SecurityOptions.flatMap(securityLines)],
    ["CDI spec directories", facts.CDISpecDirs],
    ["Discovered Devices", facts.DiscoveredDevices.map(({ Source, ID }) => `${Source}: ${ID}`)],
  ];
  const warnings = facts.Warnings.map((warning) => `WARNING: ${visible(warning)}\n`).join("");
  const single = lines.map(([name, value]) => `${name}: ${visible(String(value))}\n`).join("");
  return single + lists.map(listText).join("") + warnings;
}

/** "name=seccomp,profile=builtin" -> "seccomp", " Profile: builtin" */
function securityLines(option: string): string[] {
  const [, name = option, profile] = /^name=([^,]*)(?:,profile=(.*))?$/s.exec(option) ?? [];
  return [name, ...(profile === undefined ? [] : [` Profile: ${profile}`])];
}

function listText([name, items]: [string, string[]]): string {
  return items.length === 0 ? "" : `${name}:\n${items.map((item) => ` ${visible(item)}\n`).join("")}`;
}

import { RtError } from "../../base/errors.ts";
import { parseBandwidth } from "../../settings/bandwidth.ts";
import { checkDeviceRule } from "../../settings/device-rule.ts";
import { checkResources } from "../../settings/resource-checks.ts";
import { parseResources } from "../../settings/resource-words.ts";
import { isUnlimited, type Resources } from "../../settings/resources.ts";
import { parseRestart } from "../../settings/restart.ts";
import { Option, RtCommand, type Usage } from "../command.ts";
import { forEachName } from "../output/each-name.ts";
import { parseSize } from "../parse/size.ts";
import { resourceFlags } from "./resource-flags.ts";

export default class UpdateCommand extends RtCommand {
  static override usage: Usage = {
    category: "Containers",
    description: "Change the limits, the bandwidth and the restart policy of containers",
    details: `
      What is not said stays as it is. One that runs has its limits, its device rules and its bandwidth at once, and its restart policy
      from its next end on.
    `,
    examples: [
      ["Half a processor and 256 MiB from now on", "$0 update --cpus 0.5 -m 256m web"],
      ["From now on it comes back whatever happens", "$0 update --restart always web"],
    ],
  };

  blkioWeight = resourceFlags.blkioWeight();
  blkioWeightDevices = resourceFlags.blkioWeightDevices();
  cgroupConf = resourceFlags.cgroupConf();
  cpuPeriod = resourceFlags.cpuPeriod();
  cpuQuota = resourceFlags.cpuQuota();
  cpuRtPeriod = resourceFlags.cpuRtPeriod();
  cpuRtRuntime = resourceFlags.cpuRtRuntime();
  cpuShares = resourceFlags.cpuShares();
  cpus = resourceFlags.cpus();
  cpusetCpus = resourceFlags.cpusetCpus();
  cpusetMems = resourceFlags.cpusetMems();
  deviceCgroupRules = resourceFlags.deviceCgroupRules();
  deviceReadBps = resourceFlags.deviceReadBps();
  deviceReadIops = resourceFlags.deviceReadIops();
  deviceWriteBps = resourceFlags.deviceWriteBps();
  deviceWriteIops = resourceFlags.deviceWriteIops();
  hugetlbLimits = resourceFlags.hugetlbLimits();
  kernelMemory = resourceFlags.kernelMemory();
  memory = resourceFlags.memory();
  memoryReservation = resourceFlags.memoryReservation();
  memorySwap = resourceFlags.memorySwap();
  memorySwappiness = resourceFlags.memorySwappiness();
  oomKillDisable = resourceFlags.oomKillDisable();
  pidsLimit = resourceFlags.pidsLimit();
  restart = Option.String("--restart", {
    description: "`POLICY` no, on-failure[:N], always or unless-stopped",
  });
  bandwidthDown = resourceFlags.bandwidthDown();
  bandwidthUp = resourceFlags.bandwidthUp();
  containers = Option.Rest({ name: "CONTAINER", required: 1 });

  override async execute(): Promise<number> {
    const restart = this.restart === undefined ? undefined : parseRestart(this.restart);
    const resources = this.#resources();
    const bandwidth = this.#bandwidth();
    const deviceRules = this.deviceCgroupRules.map((text) => checkDeviceRule(text));
    if (!restart && isUnlimited(resources) && !bandwidth && deviceRules.length === 0) {
      const message = "you must provide one or more flags when using this command";
      throw new RtError("invalid-argument", message, { exitCode: 1 });
    }
    const change = {
      ...(restart && { restart }),
      ...(!isUnlimited(resources) && { resources }),
      ...(bandwidth && { bandwidth }),
      ...(deviceRules.length > 0 && { deviceRules }),
    };
    const engine = await this.engine({ needsRoot: true });
    return await forEachName(this.containers, this.context, async (name) => {
      await engine.container.update(name, change);
      return `${name}\n`;
    });
  }

  #bandwidth(): { bandwidthUp?: number; bandwidthDown?: number } | undefined {
    const { bandwidthUp: up, bandwidthDown: down } = this;
    if (up === undefined && down === undefined) return undefined;
    return {
      ...(up !== undefined && { bandwidthUp: parseBandwidth(up, "--bandwidth-up") }),
      ...(down !== undefined && { bandwidthDown: parseBandwidth(down, "--bandwidth-down") }),
    };
  }

  #resources(): Resources {
    if (this.kernelMemory) parseSize(this.kernelMemory, "--kernel-memory");
    return checkResources(parseResources(this, parseSize), { isChange: true });
  }
}

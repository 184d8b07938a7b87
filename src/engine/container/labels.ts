import type { ContainerRecord } from "../../container/record.ts";
import { mayHaveApparmor } from "../../runtime/security-modules.ts";
import type { AskedSettings } from "../../settings/container-settings.ts";
import { networkOf } from "../../settings/namespace-mode.ts";
import { stackOf } from "../../settings/network-stack.ts";
import { resolveCapabilities } from "../../spec/capabilities.ts";
import type { SpecLabels } from "../../spec/labels.ts";
import { isHosts } from "./neighbours.ts";

type Wishes = Pick<AskedSettings, "apparmor" | "labelOptions" | "privileged">;

/**
 * The labels of a container's programs, and of what is mounted for it. Most hosts have none, and then nothing is loaded.
 * @throws RtError unsupported, not-found: what is asked for this host does not have
 */
export function moduleLabels(id: string, wishes: Wishes): SpecLabels {
  if (!mayHaveApparmor() && wishes.apparmor === undefined && wishes.labelOptions.length === 0) return {};
  const { securityLabels } = require("./security-labels.ts") as typeof import("./security-labels.ts");
  return securityLabels(id, wishes);
}

/**
 * Is its network the host's, so that its programs could talk to every daemon there that listens at an abstract socket? They are
 * fenced off from these, and may look into no process that is not fenced with them: so not where that is what they are for.
 *
 * @param pid of a process whose network it has, where that is another container's
 */
export function isScoped(record: ContainerRecord, pid: number | undefined, privileged = false): boolean {
  const { networkMode: mode, landlock } = record;
  if (mode === "none" || stackOf(mode) !== undefined) return false;
  if (networkOf(mode) !== undefined || landlock !== undefined) return false;
  if (record.privileged || privileged) return false;
  if (resolveCapabilities(record.capAdd, record.capDrop, false).includes("CAP_SYS_PTRACE")) return false;
  return isHosts("network", mode, pid);
}

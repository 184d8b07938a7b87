import { RtError } from "../base/errors.ts";
import type { ContainerCreate } from "../docker/container-create.ts";
import { isZero } from "../docker/zero.ts";
import type { Api } from "./api.ts";

/** What only an engine of ours knows. Another passes over fields that it does not know: the wish would be granted in words alone. */
const ofHost = [
  ...["EgressAllow", "NetworkBandwidth", "TimeOffsets", "IDMappings", "CgroupConf", "HugetlbLimits"],
] as const;

/** @throws RtError unsupported: the engine is somebody else's, and would forget it */
export async function refuseOwnWishes(api: Api, document: ContainerCreate): Promise<void> {
  const host = document.HostConfig as unknown as Record<string, unknown>;
  const asked = ofHost.filter((name) => isAsked(host[name])).map((name) => `HostConfig.${name}`);
  if (isAsked(document.HealthcheckOnFailureAction)) asked.push("HealthcheckOnFailureAction");
  if (asked.length === 0 || (await api.isOurs())) return;
  const why = `the engine at ${api.address} is not rt's, and has no ${asked.join(", ")}`;
  throw new RtError("unsupported", why);
}

/** Fields with nothing in them are there all the same. */
function isAsked(value: unknown): boolean {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return Object.values(value).some(isAsked);
  return !isZero(value) && value !== "none";
}

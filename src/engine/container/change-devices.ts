import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../base/errors.ts";
import { readStateFile } from "../../container/state-file.ts";
import { FileLock } from "../../content/file-lock.ts";
import type { RuntimeSpec } from "../../oci/runtime-spec.ts";
import { allowDevices } from "../../runtime/live-devices.ts";
import { askedRules } from "../../spec/device-rules.ts";
import type { Host } from "../host.ts";
import { cgroupOf, isScope } from "./group.ts";

const specBytesMax = 16 << 20;

/**
 * Of a container that runs: the devices that it may use from now on, besides those of its start, which its specification says.
 * @throws RtError the host refuses, or the specification is damaged
 */
export async function allowMoreDevices(host: Host, id: string, rules: readonly string[]): Promise<void> {
  const path = join(host.stateOf(id), "config.json");
  // On v2 all rules are written at once: what another update has allowed is among them.
  using _ = await FileLock.acquire(`${path}.lock`, { signal: host.session.abort });
  const spec = specIn(path);
  const { resources } = spec.linux;
  const more = askedRules(rules);
  const group = cgroupOf(host, id);
  allowDevices(group, resources.devices, more);
  resources.devices.push(...more);
  writeFileSync(`${path}.new`, JSON.stringify(spec), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  if (!isScope(group)) return;
  const { tellOrWarn } = await import("./scope.ts");
  await tellOrWarn(host, group, { devices: resources.devices });
}

function specIn(path: string): RuntimeSpec {
  try {
    return JSON.parse(readStateFile(path, specBytesMax)?.toString("utf8") ?? "");
  } catch (error) {
    const message = `--device-cgroup-rule: ${path}, which says what devices it has, cannot be read: start it again`;
    throw new RtError("data-loss", message, { cause: error });
  }
}

import { RtError } from "../../base/errors.ts";
import { quote } from "../../base/invalid.ts";
import { isPredefined } from "../../network/record.ts";
import { isNetworkName } from "../../settings/namespace-mode.ts";
import type { Host } from "../host.ts";
import { networkEvent } from "../record-event.ts";

export interface CreateNetworkOptions {
  name: string;
  /** "bridge", or "" for that. */
  driver: string;
  labels: Record<string, string>;
  /** The driver's. */
  options: Record<string, string>;
  /** Leads nowhere else. */
  internal: boolean;
  attachable: boolean;
  /** With addresses of IPv4. */
  ipv4: boolean;
  /** With addresses of IPv6 too. */
  ipv6: boolean;
  /** "10.1.0.0/16"; none: one that is free here. */
  subnets: string[];
  gateways: string[];
  /** Where addresses come from that nobody asks for. */
  ranges: string[];
  /** Addresses that no container gets, by name. */
  auxiliary: Record<string, string>;
}

/**
 * A new network. Nothing of it is on the host before a container needs it.
 * @returns its id
 * @throws RtError invalid-argument | not-found | conflict | unsupported | exhausted, in Docker's words where it has some
 */
export async function createNetwork(host: Host, options: CreateNetworkOptions): Promise<string> {
  const { name, driver } = options;
  if (isPredefined(name) || name === "default")
    throw refusal("forbidden", `operation is not permitted on predefined ${name} network`);
  if (!isNetworkName(name)) {
    const want = "want a letter or digit, then letters, digits and any of _.-, at most 128";
    throw refusal("invalid-argument", `invalid network name ${quote(name)}: ${want}`);
  }
  const warn = (line: string) => host.warn(line);
  const networks = await host.networks();
  const network = networks.create({ ...options, driver: driver || "bridge" }, warn);
  networkEvent(host, "create", network);
  return network.id;
}

function refusal(code: "invalid-argument" | "forbidden", message: string): RtError {
  return new RtError(code, message, { exitCode: 1 });
}

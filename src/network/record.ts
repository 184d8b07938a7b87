import { flag, type Infer, listOf, mapOf, object, optional, text } from "../base/shape.ts";
import type { RecordType } from "../store/codec.ts";

const subnet = object({
  /** "172.18.0.0/16" */
  subnet: text,
  /** The host's own address in it; of networks that are no bridge somebody else's, or "". */
  gateway: text,
  /** Where addresses come from that nobody asks for by name; the whole subnet without. */
  range: optional(text),
  /** Addresses that no container gets, by what they are called. */
  auxiliary: mapOf(text),
});
export type SubnetRecord = Infer<typeof subnet>;

const network = object({
  labels: mapOf(text),
  /** The driver's, as they were given. */
  options: mapOf(text),
  /** Leads nowhere else. */
  internal: flag,
  /** Docker's, for a swarm's containers: nothing follows from it. */
  attachable: optional(flag),
  /** None where none is chosen yet. */
  subnets: listOf(subnet),
});

/** What a network is to be. What lists need of it besides stands in columns. */
export type NetworkRecord = Infer<typeof network>;

export const networkType: RecordType<NetworkRecord> = {
  kind: "network",
  version: 1,
  remedy: "remove it with rt network rm and create it again",
  shape: network,
};

/** There from the beginning, and as long as rt is: their names, and what joins containers to them. */
export const predefined = { bridge: "bridge", host: "host", none: "null" } as const;

export function isPredefined(name: string): boolean {
  return Object.hasOwn(predefined, name);
}

import { RtError } from "../base/errors.ts";
import type { Family } from "./address.ts";
import type { DriverWorld, NetworkDriver } from "./driver.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import { addressesInside } from "./inside.ts";
import { checkMtu, mtuOption } from "./mtu.ts";
import { type Operation, operate, type Refusal, refused, type Target } from "./netlink.ts";
import type { Network } from "./network-store.ts";
import {
  addressesOf,
  checkParent,
  checkParentName,
  leaveParent,
  makeParent,
  missing,
  networksOn,
  optionsOf,
  type Parent,
  parentOf,
} from "./parent.ts";

type Options = Readonly<Record<string, string>>;

/** What is different in drivers whose interfaces stand on one of the host's. */
export interface OnParent {
  name: string;
  hasMacs: boolean;
  /** What Docker begins the names of parents of its own with: "dm". */
  letters: string;
  /** Its own options, and what each may be: the first where nothing is said. */
  words: Readonly<Record<string, readonly string[]>>;
  /** Another network is on the parent. @throws RtError conflict */
  checkBeside(options: Options, user: Network, parent: string): void;
  /** The endpoint's interface. */
  link(options: Options, endpoint: NetworkEndpoint, on: { parent: string; mtu: number }): Operation;
  /** What is done inside before it is up. */
  prepare(options: Options, endpoint: NetworkEndpoint): Operation[];
  routes(network: Network, endpoint: NetworkEndpoint, families: readonly Family[]): Operation[];
}

/**
 * A container's interface is born in its network namespace, on a parent (parent.ts), and goes with that: the host has nothing
 * of it. No rule of the host's firewall sees what passes, and host and containers do not reach each other by the parent. Ports
 * are not published: whoever is on the wire reaches them.
 */
export function parentDriver(kind: OnParent, { others }: DriverWorld): NetworkDriver {
  const { name, hasMacs, letters } = kind;
  const parentIn = ({ id, record }: Network) => parentOf(letters, id, record.options);
  return {
    name,
    ...{ isFixed: false, isGateway: false, hasMacs },
    checkOptions: (options) => checkOptions(kind, options),
    claim(id, { options }, existing) {
      const parent = parentOf(letters, id, options);
      for (const user of networksOn(parent.name, name, existing))
        kind.checkBeside(options, user, parent.name);
      checkParent(parent);
      return { interface: "", leadsNowhere: parent.isOurs };
    },
    ownAddresses: (network) => addressesOf(parentIn(network)),
    bringUp: (network) => makeParent(network, parentIn(network)),
    async attach(network, endpoint, families, target) {
      const refusal = join(kind, network, endpoint, families, target);
      if (refusal) throw failure(kind, network, parentIn(network), refusal);
    },
    lead(network, endpoint, families, target) {
      const refusal = operate([], kind.routes(network, endpoint, families), target);
      if (refusal) throw refused(`cannot lead the default route to network ${network.name}`, refusal);
    },
    detach(network, endpoint, target) {
      const refusal = operate([], [{ remove: { name: endpoint.interface } }], target);
      if (refusal && refusal.errno !== "ENODEV")
        throw refused(`cannot leave network ${network.name}`, refusal);
    },
    async restore(network, endpoint, families, target) {
      const refusal = join(kind, network, endpoint, families, target);
      // It is there.
      if (refusal?.errno === "EEXIST" && refusal.position === 0) return;
      if (refusal) throw failure(kind, network, parentIn(network), refusal);
    },
    takeDown(network) {
      const options = optionsOf(network);
      const parent = options && parentOf(letters, network.id, options);
      leaveParent(network, parent, parent ? networksOn(parent.name, name, others()) : []);
    },
  };
}

function checkOptions({ name, words }: OnParent, options: Options): void {
  for (const [key, value] of Object.entries(options)) {
    if (key === "parent") checkParentName(value, name);
    else if (key === mtuOption) checkMtu(value);
    else if (!Object.hasOwn(words, key)) throw invalid(`option ${key} is none of the ${name} driver's`);
    else if (value !== "" && !words[key]!.includes(value))
      throw invalid(
        `requested ${key.replace("_", " ")} ${JSON.stringify(value)} is not valid: want ${words[key]!.join(", ")}`,
      );
  }
}

function invalid(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}

/** What an option of the driver's own is. */
export function wordOf({ words }: Pick<OnParent, "words">, options: Options, key: string): string {
  return options[key] || words[key]![0]!;
}

function join(
  kind: OnParent,
  network: Network,
  endpoint: NetworkEndpoint,
  families: readonly Family[],
  target: Target,
): (Refusal & { position: number }) | undefined {
  const { options } = network.record;
  const { name: parent } = parentOf(kind.letters, network.id, options);
  const host = kind.link(options, endpoint, { parent, mtu: Number(options[mtuOption] ?? 0) });
  const inside = [
    ...kind.prepare(options, endpoint),
    ...addressesInside(network, endpoint, true),
    ...kind.routes(network, endpoint, families),
  ];
  const refusal = operate([host], inside, target);
  return refusal && { ...refusal, position: refusal.operation === host ? 0 : 1 };
}

function failure(
  { name }: OnParent,
  network: Network,
  parent: Parent,
  refusal: Refusal & { position: number },
): RtError {
  const what = `cannot join network ${network.name}`;
  if (refusal.position === 0 && refusal.errno === "EOPNOTSUPP")
    return new RtError("unsupported", `${what}: this kernel has no ${name} interfaces`);
  if (refusal.position === 0 && refusal.errno === "ENODEV")
    return new RtError("not-found", `${what}: ${missing(parent.name)}`);
  const isTaken = refusal.position === 0 && ["EBUSY", "EINVAL"].includes(refusal.errno);
  const why = `; ${parent.name} takes no more, or is a bridge's port or another driver's parent`;
  return refused(what, { ...refusal, text: `${refusal.text}${isTaken ? why : ""}` });
}

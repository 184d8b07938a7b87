import type { Address, Family } from "./address.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { NetworkEndpoint } from "./endpoint-store.ts";
import type { Station } from "./guard.ts";
import type { Target } from "./netlink.ts";
import type { Network } from "./network-store.ts";
import type { NetworkRecord } from "./record.ts";

/**
 * A network driver joins containers to networks. Which addresses there are, and who has which, is decided before it is asked.
 *
 *   driver.checkOptions(options, internal)                // a network is to be made
 *   driver.claim(id, record, others)                      // it is, in the same transaction
 *   driver.bringUp(network)                               // a container is being built
 *   driver.attach(network, endpoint, [4, 6], program)     // it is built, and waits for its start; or it runs
 *   driver.lead(network, endpoint, [4], program)          // it runs, and another network had its default route until now
 *   driver.detach(network, endpoint, program)             // it runs on without this network
 *   driver.restore(network, endpoint)                     // somebody has taken away what the host has of it
 *   driver.takeDown(network)                              // nobody is in it
 *
 * At a container's end nothing detaches: its end of everything goes with its network namespace, and the kernel takes the
 * host's end with it.
 */
export interface NetworkDriver {
  readonly name: string;
  /** There is one network of it, always: a container has a network namespace of that kind, and no place in it. */
  readonly isFixed: boolean;
  /** The host is the gateway of its networks. Elsewhere that is somebody whom the user names, or nobody. */
  readonly isGateway: boolean;
  /** Each container has a MAC of its own. */
  readonly hasMacs: boolean;
  /** @throws RtError invalid-argument | unsupported | forbidden */
  checkOptions(options: Readonly<Record<string, string>>, internal: boolean): void;
  /**
   * A network begins beside others, none of which comes or goes meanwhile.
   * @throws RtError conflict | not-found, with the exit code of a network's own verbs
   */
  claim(id: string, record: Pick<NetworkRecord, "options">, others: readonly Network[]): Claim;
  /** What the host itself has where the network's containers are: nobody else may have it. Absent where it has none. */
  ownAddresses?(network: Network): readonly Address[];
  /** What the network needs on the host is made, where it is not there. */
  bringUp(network: Network): void;
  /**
   * The endpoint's interface, with its addresses, in the network namespace of a process. It can be used at once.
   * @param gateways the families whose default route leads into this network
   */
  attach(
    network: Network,
    endpoint: NetworkEndpoint,
    gateways: readonly Family[],
    target: Target,
  ): Promise<void>;
  /** From now on the default routes of these families lead into this network. */
  lead(network: Network, endpoint: NetworkEndpoint, gateways: readonly Family[], target: Target): void;
  /** The endpoint's interface goes, if it is there, and with it all that leads through it. */
  detach(network: Network, endpoint: NetworkEndpoint, target: Target): void;
  /** Of a container that runs: its place is as `attach` has made it again. */
  restore(
    network: Network,
    endpoint: NetworkEndpoint,
    gateways: readonly Family[],
    target: Target,
  ): Promise<void>;
  /**
   * How fast the endpoint's interface may go, from now on; absent where nothing is between it and the wire.
   * @param detour the name of an interface for what arrives: made where it is needed, and taken away by whoever named it
   */
  limit?(network: Network, endpoint: NetworkEndpoint, bandwidth: Bandwidth, detour: string): void;
  /** What the network has on the host goes: it is not among the others any more. */
  takeDown(network: Network): void;
}

export interface Claim {
  /** The host's, that is the network's own, and fenced; "" without. */
  interface: string;
  /** Nobody is outside, as with `internal`. */
  leadsNowhere: boolean;
}

/** What drivers are given. */
export interface DriverWorld {
  firewall: Firewall;
  /** All networks, at this moment. */
  others(): readonly Network[];
  warn(line: string): void;
}

/** Keeps the fence as it should be. */
export interface Firewall {
  /** Is it as the networks want it? If not, it is made so. @returns false: this kernel has nothing that guards a bridge's ports */
  ensure(warn: (line: string) => void): boolean;
  /** A container may speak from its port, as itself. */
  admit(station: Station, warn: (line: string) => void): void;
  /** A container may go to some destinations alone. */
  restrain(network: Network, endpoint: NetworkEndpoint): void;
  /** Where containers do not know each other: it reaches those that it is linked to, and is reached by those that are linked to it. */
  open(endpoint: NetworkEndpoint, warn: (line: string) => void): void;
  /** Containers that are over, or leave a network, may not any more. */
  dismiss(endpoints: readonly NetworkEndpoint[]): void;
}

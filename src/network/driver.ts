import type { NetworkEndpoint } from "./endpoint-store.ts";
import type { Target } from "./netlink.ts";
import type { Network } from "./network-store.ts";

/**
 * A network driver joins containers to networks. Which addresses there are, and who has which, is decided before it is asked.
 *
 *   driver.checkOptions(options)                          // a network is to be made
 *   driver.bringUp(network)                               // a container is being built
 *   driver.attach(network, endpoint, "eth0", program)     // it is built, and waits for its start
 *   driver.restore(network, endpoint)                     // somebody has taken away what the host has of it
 *   driver.takeDown(network)                              // nobody is in it
 *
 * There is nothing that detaches: a container's end of everything goes with its network namespace, and the kernel takes the
 * host's end with it.
 */
export interface NetworkDriver {
  readonly name: string;
  /** @throws RtError invalid-argument | unsupported */
  checkOptions(options: Readonly<Record<string, string>>): void;
  /** What the network needs on the host is made, where it is not there. */
  bringUp(network: Network): void;
  /** An interface `name`, with the endpoint's addresses, in the network namespace of a process. It can be used at once. */
  attach(network: Network, endpoint: NetworkEndpoint, name: string, target: Target): Promise<void>;
  /** Of a container that runs: what the host has of its place is as it should be again. */
  restore(network: Network, endpoint: NetworkEndpoint): void;
  /** What the network has on the host goes. */
  takeDown(network: Network): void;
}

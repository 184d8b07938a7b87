import type { ContainerRecord } from "../../container/record.ts";
import { hostAddresses, planStack, stackProgram } from "../../network/stack.ts";
import { startStack } from "../../runtime/native/stack.ts";
import type { NetworkStack } from "../../settings/network-stack.ts";
import type { Host } from "../host.ts";
import { leaving } from "./leave.ts";
import type { NetworkPlaces } from "./place.ts";
import { tellResolver } from "./resolver.ts";
import { inOurWords } from "./stack-words.ts";

/** What a container calls this host, as podman has it; and Docker's desktops. */
const hostNames = ["host.containers.internal", "host.docker.internal"] as const;

/**
 * What a container has whose network a program of the host's carries: an address of its own, and names by its monitor as ever. It
 * is in none of the networks that there are.
 */
export async function stackPlaces(
  host: Host,
  record: ContainerRecord,
  stack: NetworkStack,
  undo: AsyncDisposableStack,
): Promise<NetworkPlaces> {
  const program = stackProgram(stack.kind, host.env.PATH);
  const networks = await host.networks();
  const directory = host.stateOf(record.id);
  const plan = () => planStack(stack, networks.ports.store.publishedOf(record.id), directory, "eth0");
  undo.defer(async () => host.database.transaction(await leaving(host, record.id)));
  host.names.prepare();
  tellResolver(host, record, [], networks.egressTable, true);
  const gateways = hostAddresses();
  const [alias, ...names] = hostNames;
  return {
    stack,
    all: [],
    names: { networks: host.names.directory },
    addresses: plan().addresses,
    gateways,
    links: isNamed(record, alias) ? [] : [{ alias, addresses: gateways, names }],
    environment: [],
    bringUp() {},
    async plugIn(init) {
      const { arguments: words, requests } = plan();
      const request = { kind: stack.kind, program, arguments: words, requests, directory };
      try {
        await startStack(request, init, host.session.abort);
      } catch (error) {
        throw inOurWords(error, plan());
      }
    },
    release() {},
  };
}

/** The user says himself where that is. */
function isNamed({ extraHosts }: ContainerRecord, name: string): boolean {
  return extraHosts.some((entry) => entry.startsWith(`${name}:`));
}

import { RtError, withCause } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { closeHeld, Handover } from "../../network/held-port.ts";
import { type AskedPort, type Holding, holdPorts, portPlace } from "../../network/hold-ports.ts";
import type { Networks } from "../../network/networks.ts";
import type { ContainerPort } from "../../network/port-store.ts";
import { allExposed, distinctWishes, exposedPort, type PortWish } from "../../settings/port.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import type { NetworkPlace } from "./place.ts";
import { targetsOf, type Ways, waysOf } from "./ways.ts";

/** The ports of a container that is being started. */
export interface TakenPorts {
  /** Their sockets, for the monitor to hold. Undefined where there are none. */
  readonly given: Handover | undefined;
  /** The container is in its network: the firewall leads there. */
  lead(): void;
}

/**
 * Ports of the host for a container that has its places: held, and on record, from which they go with those (leave.ts). `undo`
 * closes their sockets.
 * @param places where it is: ports come from where its default routes lead, and without any of these none are published
 * @throws RtError conflict: one is taken; invalid-argument | forbidden | exhausted, in Docker's words
 */
export async function takePorts(
  host: Host,
  record: ContainerRecord,
  places: readonly NetworkPlace[],
  undo: AsyncDisposableStack,
): Promise<TakenPorts> {
  const networks = await host.networks();
  const [way, ...ways] = waysOf(networks, places);
  const wishes = wishesFor(record);
  if (wishes.length > 0 && !way) tellOfClosed(host, networks, record, places);
  const shown = allExposed(record)
    .map(exposedPort)
    .filter((each) => !(way && wishes.some((wish) => isFor(wish, each))));
  const exposed: ContainerPort[] = shown.map((each) => ({ ...each, host: undefined }));
  if (!way || wishes.length === 0) {
    if (exposed.length > 0 || host.containers.hasPorts(record.id)) networks.ports.take(record.id, exposed);
    return { given: undefined, lead: () => {} };
  }
  const all: Ways = [way, ...ways];
  const holding = await naming(record.name, all, async () =>
    holdAll(host, networks, record.id, wishes, all, exposed),
  );
  const given = holding.held.length > 0 ? undo.use(new Handover(holding.held)) : undefined;
  const published = networks.ports.store.publishedOf(record.id);
  return {
    given,
    lead: () =>
      networks.ports.lead(
        published,
        all.map(({ place }) => place),
      ),
  };
}

/** What is asked for, and with -P what is exposed and not asked for. */
export function wishesFor({ publish, publishAll, expose }: ContainerRecord): PortWish[] {
  const wishes: PortWish[] = distinctWishes(publish);
  if (!publishAll) return wishes;
  const rest = expose.map(exposedPort).filter((each) => !wishes.some((wish) => isFor(wish, each)));
  return [...wishes, ...rest.map((each) => ({ ...each, address: "", first: 0, last: 0 }))];
}

function isFor(wish: AskedPort, { port, protocol }: { port: number; protocol: string }): boolean {
  return wish.port === port && wish.protocol === protocol;
}

async function holdAll(
  host: Host,
  { ports }: Networks,
  container: string,
  wishes: readonly AskedPort[],
  ways: Ways,
  exposed: readonly ContainerPort[],
): Promise<Holding> {
  for (const isLast of [false, true]) {
    const holding = holdPorts(wishes, targetsOf(ways), standardAddress(ways));
    let clash: ContainerPort | undefined;
    try {
      clash = ports.take(container, [...holding.ports, ...exposed]);
    } catch (error) {
      closeHeld(holding.held);
      throw error;
    }
    if (!clash) return holding;
    closeHeld(holding.held);
    if (isLast) throw allocated(clash);
    // We had the socket, so the row may be one that nobody has taken away yet.
    await reconcile(host);
  }
  throw new RtError("internal", "nobody has the ports");
}

export function allocated({ host }: ContainerPort): RtError {
  const place = host ? portPlace(host.address, host.port) : "";
  return new RtError("conflict", `Bind for ${place} failed: port is already allocated`);
}

/** Docker's option of a network: where its ports are bound that name no address. */
export function standardAddress([{ place }]: Ways): string {
  const asked = place.network.record.options["com.docker.network.bridge.host_binding_ipv4"] ?? "";
  return asked.replace(/^0\.0\.0\.0$/, "");
}

/** A failure in Docker's words. */
export async function naming<T>(name: string, [{ place }]: Ways, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const what = `driver failed programming external connectivity on endpoint ${name} (${place.endpoint.id})`;
    throw withCause(what, error);
  }
}

/** Docker says nothing. */
function tellOfClosed(
  host: Host,
  networks: Networks,
  { name }: ContainerRecord,
  places: readonly NetworkPlace[],
): void {
  const onWire = places.find(({ network }) => !networks.driver(network.driver, () => {}).isGateway)?.network;
  const why = onWire
    ? `is on the wire in network ${onWire.name} (${onWire.driver}), where all its ports are reached by its address`
    : "is in no network that leads out";
  host.warn(`warning: container ${name} ${why}: its ports are not published`);
}

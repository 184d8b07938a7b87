import { RtError, withExitCode } from "../../base/errors.ts";
import { newId } from "../../base/new-id.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { replaceRecordCopy } from "../../container/state-file.ts";
import type { Container } from "../../container/stored-container.ts";
import { closeHeld, handPorts } from "../../network/held-port.ts";
import { holdPorts, isAt } from "../../network/hold-ports.ts";
import type { Networks } from "../../network/networks.ts";
import type { PublishedPort } from "../../network/port-store.ts";
import { stackOf } from "../../settings/network-stack.ts";
import { distinctWishes, type PortWish } from "../../settings/port.ts";
import { acquireLease } from "../../store/leases.ts";
import type { Host } from "../host.ts";
import { lockPlaces, placesIn } from "../network/place.ts";
import { allocated, naming, standardAddress, wishesFor } from "../network/ports.ts";
import { portSocketOf, takeBackPorts } from "../network/take-back-ports.ts";
import { targetsOf, type Ways, waysOf } from "../network/ways.ts";
import { find, requireRunning } from "./find.ts";

/**
 * Ports of a container that runs. What is being changed is on record as such, under something that whoever does so leases:
 *
 *   publish    rows, pending -> its monitor holds the sockets -> the firewall leads there -> settled, and in its record
 *   unpublish  rows pending, and out of its record -> the firewall leads nowhere -> its monitor lets go -> no rows
 *
 * Where he dies in between the next command takes away what is pending (network/take-back-ports.ts).
 *
 * @throws RtError conflict: it does not run, or a port is taken; unsupported: it is in no network that leads out
 */
export async function publishPorts(host: Host, name: string, wishes: readonly PortWish[]): Promise<void> {
  const container = await findRunning(host, name);
  using _ = await lockPlaces(host, container.id);
  const networks = await host.networks();
  const ways = waysFor(networks, host.containers.get(container.id));
  const { ports } = networks;
  const item = `ports:${newId()}`;
  await using undo = new AsyncDisposableStack();
  const holding = await own(() =>
    naming(container.name, ways, async () => {
      const held = holdPorts(distinctWishes(wishes), targetsOf(ways), standardAddress(ways));
      undo.defer(() => closeHeld(held.held));
      undo.use(
        acquireLease(host.database, [item], () => {
          const clash = ports.store.add(container.id, held.ports, item);
          if (clash) throw allocated(clash);
        }),
      );
      return held;
    }),
  );
  // Of what is settled nothing is pending.
  undo.defer(() => takeBackPorts(host, item));
  handPorts(portSocketOf(host, container.id), holding.held);
  ports.lead(
    ports.store.pending().get(item) ?? [],
    ways.map(({ place }) => place),
  );
  const change = (record: ContainerRecord) => ({
    ...record,
    publish: distinctWishes([...record.publish, ...wishes]),
  });
  remember(host, container, change, () => ports.store.settle(item));
}

/** @throws RtError conflict: it does not run; not-found: no port of the host leads there */
export async function unpublishPorts(host: Host, name: string, wishes: readonly PortWish[]): Promise<void> {
  const container = await findRunning(host, name);
  using _ = await lockPlaces(host, container.id);
  const { ports } = await host.networks();
  if (stackOf(container.record.networkMode)) waysFor(await host.networks(), container);
  const published = ports.store.publishedOf(container.id);
  for (const wish of wishes)
    if (!published.some((port) => isMeant(wish, port)))
      throw noPublicPort(`${hostPart(wish)}${wish.port}/${wish.protocol}`, name);
  const doomed = published.filter((port) => wishes.some((wish) => isMeant(wish, port)));
  const item = `ports:${newId()}`;
  await using undo = new AsyncDisposableStack();
  undo.use(acquireLease(host.database, [item]));
  undo.defer(() => takeBackPorts(host, item));
  const change = (record: ContainerRecord) => ({
    ...record,
    // What was published because all is stays, one by one.
    publish: wishesFor(record).filter((kept) => !wishes.some((wish) => isSame(wish, kept))),
    publishAll: false,
  });
  remember(host, container, change, () => ports.store.doom(doomed, item));
}

/** What a wish says of the host's, as it is typed. */
function hostPart({ address, first, last }: PortWish): string {
  const ports = last === 0 ? "" : first === last ? `${first}` : `${first}-${last}`;
  const place = address.includes(":") ? `[${address}]` : address;
  return place === "" ? (ports === "" ? "" : `${ports}:`) : `${place}:${ports}:`;
}

/** In Docker's words. */
export function noPublicPort(port: string, name: string): RtError {
  return new RtError("not-found", `No public port '${port}' published for ${name}`, { exitCode: 1 });
}

async function findRunning(host: Host, name: string): Promise<Container> {
  const seen = await find(host, name);
  await requireRunning(host, seen);
  return seen.container;
}

/** @throws RtError unsupported */
function waysFor(networks: Networks, { name, record }: Container): Ways {
  const [way, ...ways] = waysOf(networks, placesIn(networks, record));
  if (way) return [way, ...ways];
  const stack = stackOf(record.networkMode);
  if (stack) {
    const why = `${stack.kind} carries the network of container ${name}, and takes and gives up no port while it runs`;
    throw new RtError("unsupported", `${why}: make the container anew with -p`, { exitCode: 1 });
  }
  const message = `container ${name} is in no network that leads out: no port of the host can lead to it`;
  throw new RtError("unsupported", message, { exitCode: 1 });
}

/** What a start ends with 125 for is the verb's own failure here. */
async function own<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw withExitCode(error, 1);
  }
}

/** A restart has them, too. */
function remember(
  host: Host,
  { id }: Container,
  change: (record: ContainerRecord) => ContainerRecord,
  within: () => void,
): void {
  replaceRecordCopy(host.stateOf(id), host.containers.update(id, change, within));
}

/** Does what somebody asks to take away name this one? Without an address or a port of the host's it names all. */
function isMeant(wish: PortWish, { protocol, port, host }: PublishedPort): boolean {
  if (wish.protocol !== protocol || wish.port !== port) return false;
  const isThere = wish.address === "" || isAt(wish.address, host);
  return isThere && (wish.last === 0 || (host.port >= wish.first && host.port <= wish.last));
}

/** The wish that is taken away: one for any port of the host's takes all of its port's. */
function isSame(wish: PortWish, kept: PortWish): boolean {
  if (wish.port !== kept.port || wish.protocol !== kept.protocol) return false;
  if (wish.address !== "" && wish.address !== kept.address) return false;
  return wish.last === 0 || kept.last === 0 || (wish.first <= kept.last && kept.first <= wish.last);
}

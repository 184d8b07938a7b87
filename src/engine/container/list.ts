import { RtError } from "../../base/errors.ts";
import type { ContainerRecord, ContainerState } from "../../container/record.ts";
import { exited } from "../../container/state.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import type { PortFacts } from "../../docker/container-ports.ts";
import { type ContainerDetails, type ContainerSummary, statusText } from "../../docker/container-summary.ts";
import {
  checkFilters,
  containerFilters,
  type Filters,
  hasLabel,
  matcher,
  namePattern,
} from "../../docker/filters.ts";
import type { Networks } from "../../network/networks.ts";
import { isNear } from "../../reference/kind.ts";
import { networkName } from "../../settings/namespace-mode.ts";
import { wishesOf } from "../../settings/network.ts";
import { allExposed, parseExpose } from "../../settings/port.ts";
import { type Live, reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { healthStatusOf } from "./health-state.ts";
import { isUp, look, withPause } from "./look.ts";

export interface ListOptions {
  /** Also those that do not run. */
  all: boolean;
  filters: Filters;
  /** Only so many, the newest; all unless given. */
  last?: number;
  /** With what only the records have. */
  details?: boolean;
  /** With that: where they are in their networks. */
  places?: boolean;
  /** With sizes. */
  size?: boolean;
}

/** A container, and what it does now. */
interface Found {
  container: Container;
  state: ContainerState;
}

/**
 * Containers and what they do now, newest first.
 *
 * @throws RtError invalid-argument | unsupported: a filter that is none; not-found: it names what is not there
 */
export async function list(host: Host, options: ListOptions): Promise<ContainerSummary[]> {
  checkFilters(options.filters, containerFilters);
  const live = (await reconcile(host)).map(({ container, state }) => {
    return { container, state: withPause(host, container.id, state) };
  });
  const found = options.all ? everything(host, live) : running(live);
  const networks = isAsked(options.filters, "network") ? await host.networks() : undefined;
  const published = isAsked(options.filters, "publish") ? await publishedPorts(host) : undefined;
  const holds = matcher(options.filters, (key, value) => {
    if (key === "network" && networks) return isIn(networks, value);
    if (key === "publish" && published)
      return portPredicate(value, ({ container }) => published.get(container.id) ?? []);
    return predicate(host, key, value);
  });
  const matching = found.filter(holds).sort(newestFirst);
  for (const { container } of matching) if (container.damage) host.warn(container.damage.message);
  const shown = matching.slice(0, options.last);
  const now = Date.now();
  const nameOf = imageNames(host);
  const summaries = shown.map((each) => ({ ...summaryOf(host, each, now), image: nameOf(each.container) }));
  if (host.containers.somePorts()) await addPorts(host, summaries);
  if (options.details) {
    for (const [index, { container }] of shown.entries()) addDetails(summaries[index]!, container);
  }
  if (options.details && options.places) await addPlaces(host, summaries, shown);
  if (options.size) await addSizes(host, summaries, shown);
  return summaries;
}

/** Files are looked at only where `reconcile` has left some: of the others the exit is on record. */
function everything(host: Host, live: readonly Live[]): Found[] {
  const states = new Map(live.map(({ container, state }) => [container.id, state]));
  return host.containers.list().map((container) => {
    const known = states.get(container.id) ?? (container.exit && exited(container.exit));
    return { container, state: known ?? look(host, container).state };
  });
}

function running(live: readonly Live[]): Found[] {
  return live.filter(({ state }) => isUp(state));
}

function newestFirst({ container: a }: Found, { container: b }: Found): number {
  if (a.created !== b.created) return a.created < b.created ? 1 : -1;
  return a.id < b.id ? -1 : 1;
}

function summaryOf(host: Host, { container, state }: Found, now: number): Omit<ContainerSummary, "image"> {
  const health = state.status === "running" ? healthStatusOf(host, container.id, state) : undefined;
  return {
    id: container.id,
    name: container.name,
    imageId: container.imageId,
    command: container.command,
    created: container.created,
    state: state.status,
    ports: [],
    status: `${statusText(state, now, health)}${container.damage ? " (damaged)" : ""}`,
  };
}

/** What the image was called, or its id where that now is another's name or none. A file's name says nothing of now. */
function imageNames(host: Host): (container: Container) => string {
  const ids = new Map<string, string | undefined>();
  const idOf = (reference: string) => {
    if (!ids.has(reference)) ids.set(reference, imageIdOf(host, reference));
    return ids.get(reference);
  };
  return ({ reference, imageId }) => (isNear(reference) || idOf(reference) === imageId ? reference : imageId);
}

function imageIdOf(host: Host, reference: string): string | undefined {
  try {
    return host.images.idOf(reference);
  } catch (error) {
    // The beginning of an id, which fits several by now.
    if (error instanceof RtError) return undefined;
    throw error;
  }
}

/** Loaded where some have any. */
async function addPorts(host: Host, summaries: readonly ContainerSummary[]): Promise<void> {
  const { portsByContainer } = await import("./port-facts.ts");
  const all = portsByContainer(host);
  for (const summary of summaries) if (summary.state !== "exited") summary.ports = all.get(summary.id) ?? [];
}

function addDetails(summary: ContainerSummary, container: Container): void {
  const record = recordOf(container);
  if (!record) return;
  const { labels, mounts, networkMode, platform, annotations } = record;
  const networks = networksOf(record).toSorted();
  const said = { labels, mounts, networkMode, networks, platform, annotations };
  summary.details = said satisfies ContainerDetails;
}

async function addPlaces(host: Host, summaries: ContainerSummary[], found: readonly Found[]): Promise<void> {
  const { describeEndpoints } = await import("../network/describe.ts");
  const { networkSettings } = await import("../../docker/endpoint-settings.ts");
  for (const [index, { container, state }] of found.entries()) {
    const record = recordOf(container);
    const { id, name } = container;
    const { details } = summaries[index]!;
    if (!record || !details) continue;
    const isNowhere = wishesOf(record).length === 0;
    const endpoints = isNowhere ? [] : await describeEndpoints(host, record, state.pid > 0);
    details.places = networkSettings({ id, name, state }, record, endpoints).Networks;
  }
}

async function addSizes(host: Host, summaries: ContainerSummary[], found: readonly Found[]): Promise<void> {
  const { sizesOf } = await import("./sizes.ts");
  for (const [index, { container }] of found.entries())
    summaries[index]!.size = await sizesOf(host, container);
}

/** In the network `wanted`, by its name or its id, whichever of them either was called by. */
function isIn({ store }: Networks, wanted: string): (found: Found) => boolean {
  const networks = store.list();
  const idOf = (text: string) =>
    networks.find(({ name }) => name === text)?.id ??
    networks.find(({ id }) => text !== "" && id.startsWith(text))?.id;
  const network = idOf(wanted);
  return ({ container }) => {
    const record = recordOf(container);
    if (!record || network === undefined) return false;
    return networksOf(record).some((name) => idOf(name) === network);
  };
}

/** As it calls them; the host's, and none, are among them. */
function networksOf({ networkMode, networks }: ContainerRecord): string[] {
  const names = wishesOf({ networkMode, networks }).map((wish) => wish.network);
  const other = networks === undefined && names.length === 0 ? networkName(networkMode) : "";
  return other === "" ? names : [other];
}

function isAsked(filters: Filters, key: string): boolean {
  return (filters[key] ?? []).length > 0;
}

/** The host's, as "8080/tcp", that lead to each container now. */
async function publishedPorts(host: Host): Promise<Map<string, string[]>> {
  const { portsByContainer } = await import("./port-facts.ts");
  const keysOf = (ports: readonly PortFacts[]) =>
    ports.flatMap(({ protocol, host }) => (host ? [`${host.port}/${protocol}`] : []));
  return new Map([...portsByContainer(host)].map(([id, ports]) => [id, keysOf(ports)]));
}

/** Some of the ports that `keysOf` answers are among those that are asked for: "80", "80-90/udp". */
function portPredicate(
  value: string,
  keysOf: (found: Found) => readonly string[],
): (found: Found) => boolean {
  const wanted = new Set(parseExpose(value, "filter"));
  return (found) => keysOf(found).some((key) => wanted.has(key));
}

function predicate(host: Host, key: string, value: string): (found: Found) => boolean {
  switch (key) {
    case "id":
      return ({ container }) => container.id.startsWith(value);
    case "name": {
      const pattern = namePattern(value);
      return ({ container: { name } }) => pattern.test(name) || pattern.test(`/${name}`);
    }
    case "status":
      return ({ state }) => state.status === value;
    case "exited":
      return ({ state }) => state.status === "exited" && state.exitCode === Number(value);
    case "health":
      return ({ container: { id }, state }) => (healthStatusOf(host, id, state) ?? "none") === value;
    case "label":
      return ({ container }) => hasLabel(recordOf(container)?.labels ?? {}, value);
    case "volume":
      // By its name, or by where it is.
      return ({ container }) =>
        (recordOf(container)?.mounts ?? []).some(
          ({ name, destination }) => name === value || destination === value,
        );
    case "expose":
      return portPredicate(value, ({ container }) => {
        const record = recordOf(container);
        return record ? allExposed(record) : [];
      });
    case "ancestor": {
      const image = host.images.idOf(value);
      return ({ container }) => container.imageId === image || container.reference === value;
    }
    case "before": {
      const limit = Date.parse(host.containers.get(value).created);
      return ({ container }) => Date.parse(container.created) < limit;
    }
    case "since": {
      const limit = Date.parse(host.containers.get(value).created);
      return ({ container }) => Date.parse(container.created) > limit;
    }
    default:
      throw new RtError("internal", `the filter ${key} has no meaning`);
  }
}

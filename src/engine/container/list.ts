import { RtError } from "../../base/errors.ts";
import { type Container, recordOf } from "../../container/container-store.ts";
import type { ContainerRecord, ContainerState } from "../../container/record.ts";
import { exited } from "../../container/state.ts";
import { type Live, reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { look } from "./look.ts";

export interface ContainerSummary {
  container: Container;
  /** Undefined of a damaged one. Decoded when it is asked for. */
  readonly record: ContainerRecord | undefined;
  state: ContainerState;
  /** Bytes of the writable top, and with the image's; only when asked for. */
  size?: { writable: number; virtual: number };
}

export interface ListOptions {
  /** Also those that do not run. */
  all: boolean;
  /** Docker's: of one key any value may hold, of several keys all must. */
  filters: Readonly<Partial<Record<string, readonly string[]>>>;
  size: boolean;
}

/** Containers and what they do now, newest first. @throws invalid-argument | not-found: a filter names what is not there */
export async function list(host: Host, options: ListOptions): Promise<ContainerSummary[]> {
  const live = await reconcile(host);
  const found = options.all ? everything(host, live) : running(live);
  const matching = found.filter(matcher(host, options.filters)).sort(newestFirst);
  for (const { container } of matching) if (container.damage) host.warn(container.damage.message);
  if (!options.size) return matching;
  const snapshots = await host.snapshots();
  for (const summary of matching) {
    const writable = (await snapshots.usage(summary.container.id)).bytes;
    summary.size = { writable, virtual: writable + host.images.sizeOf(summary.container.imageId) };
  }
  return matching;
}

/** Files are looked at only where `reconcile` has left some: of the others the exit is on record. */
function everything(host: Host, live: readonly Live[]): ContainerSummary[] {
  const states = new Map(live.map(({ container, state }) => [container.id, state]));
  return host.containers.list().map((container) => {
    const known = states.get(container.id) ?? (container.exit && exited(container.exit));
    return summaryOf(container, known ?? look(host, container).state);
  });
}

function running(live: readonly Live[]): ContainerSummary[] {
  return live.flatMap(({ container, state }) =>
    state.status === "running" ? [summaryOf(container, state)] : [],
  );
}

function summaryOf(container: Container, state: ContainerState): ContainerSummary {
  return {
    container,
    state,
    get record() {
      return recordOf(container);
    },
  };
}

function newestFirst({ container: a }: ContainerSummary, { container: b }: ContainerSummary): number {
  if (a.created !== b.created) return a.created < b.created ? 1 : -1;
  return a.id < b.id ? -1 : 1;
}

type Predicate = (summary: ContainerSummary) => boolean;

function matcher(host: Host, filters: ListOptions["filters"]): Predicate {
  const predicates = Object.entries(filters).map(([key, values]): Predicate => {
    const any = (values ?? []).map((value) => predicate(host, key, value));
    // Labels are the exception: all that are named must be there.
    return key === "label"
      ? (summary) => any.every((holds) => holds(summary))
      : (summary) => any.some((holds) => holds(summary));
  });
  return (summary) => predicates.every((holds) => holds(summary));
}

function predicate(host: Host, key: string, value: string): Predicate {
  switch (key) {
    case "id":
      return ({ container }) => container.id.startsWith(value);
    case "name": {
      const pattern = regularExpression(value);
      return ({ container: { name } }) => pattern.test(name) || pattern.test(`/${name}`);
    }
    case "status":
      return ({ state }) => state.status === value;
    case "exited":
      return ({ state }) => state.status === "exited" && state.exitCode === Number(value);
    case "label": {
      const equals = value.indexOf("=");
      const labelsOf = ({ record }: ContainerSummary) => record?.labels ?? {};
      if (equals < 0) return (summary) => Object.hasOwn(labelsOf(summary), value);
      return (summary) => labelsOf(summary)[value.slice(0, equals)] === value.slice(equals + 1);
    }
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
      throw new RtError("invalid-argument", `invalid filter '${key}'`, { exitCode: 1 });
  }
}

function regularExpression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new RtError("invalid-argument", `invalid filter name=${text}: not a regular expression`, {
      cause: error,
    });
  }
}

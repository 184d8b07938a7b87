import { RtError } from "../base/errors.ts";
import type { ContainerRecord, ContainerState } from "../container/record.ts";
import { observe } from "../container/state.ts";
import { isLocked } from "../runtime/lock.ts";
import type { Host } from "./host.ts";
import { reconcile } from "./reconcile.ts";

export interface ContainerSummary {
  record: ContainerRecord;
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
  const snapshots = await host.snapshots();
  reconcile(host, snapshots);
  const found = host.containers
    .list(() => undefined)
    .map(
      ({ record, exit }): ContainerSummary => ({
        record,
        state: observe(host.stateOf(record.id), exit, isLocked).state,
      }),
    );
  const matching = found
    .filter(({ state }) => options.all || state.status === "running")
    .filter(matcher(host, options.filters));
  if (!options.size) return matching;
  return matching.map((summary) => {
    const writable = snapshots.usage(summary.record.id).bytes;
    const image = host.images.find(summary.record.image.id)?.size ?? 0;
    return { ...summary, size: { writable, virtual: writable + image } };
  });
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
      return ({ record }) => record.id.startsWith(value);
    case "name": {
      const pattern = regularExpression(value);
      return ({ record }) => pattern.test(record.name) || pattern.test(`/${record.name}`);
    }
    case "status":
      return ({ state }) => state.status === value;
    case "exited":
      return ({ state }) => state.status === "exited" && state.exitCode === Number(value);
    case "label": {
      const equals = value.indexOf("=");
      if (equals < 0) return ({ record }) => Object.hasOwn(record.labels, value);
      return ({ record }) => record.labels[value.slice(0, equals)] === value.slice(equals + 1);
    }
    case "ancestor": {
      const image = host.images.find(value);
      return ({ record }) => record.image.id === image?.id || record.image.reference === value;
    }
    case "before": {
      const limit = Date.parse(host.containers.get(value).record.created);
      return ({ record }) => Date.parse(record.created) < limit;
    }
    case "since": {
      const limit = Date.parse(host.containers.get(value).record.created);
      return ({ record }) => Date.parse(record.created) > limit;
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

import { RtError } from "../base/errors.ts";
import { LinearPattern } from "../base/linear-pattern.ts";
import { healthStatuses } from "./health-status.ts";
import { parseMoment } from "./timestamp.ts";

/**
 * The conditions of a listing, by key, as every noun has them: of one key any value may hold (of labels, and of what must
 * not be, all), of several keys all must. On the command line each is KEY=VALUE; in the API they are one JSON object,
 * {"status":["exited"],"label":["a=b"]}.
 */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** The keys of one noun. */
export interface FilterGrammar {
  /** A key that ends in "!" is what must not be: `label!=KEY`. */
  readonly keys: readonly string[];
  /** Docker's, for a later version. */
  readonly later: readonly string[];
  /** What is wanted of the values of a key, where not every text is one: "want true or false". */
  readonly values: Readonly<Record<string, { isGood(value: string): boolean; want: string }>>;
}

const portNumbers = {
  isGood: (value: string) => /^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/i.test(value),
  want: "want a port or a range of them, as 80, 53/udp or 8000-8010/tcp",
};

/** Docker's states; that rt has no container in some of them is an answer, and no mistake. */
const statuses = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

export const containerFilters: FilterGrammar = {
  keys: [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
  ],
  later: ["isolation", "is-task"],
  values: {
    status: { isGood: (value) => statuses.includes(value), want: `want one of ${statuses.join(", ")}` },
    health: {
      isGood: (value) => (healthStatuses as readonly string[]).includes(value),
      want: `want one of ${healthStatuses.join(", ")}`,
    },
    expose: portNumbers,
    publish: portNumbers,
    exited: { isGood: (value) => /^-?\d{1,9}$/.test(value), want: "want a number" },
  },
};

/** Which of the containers that do not run go with `container prune`. */
export const containerPruneFilters: FilterGrammar = {
  keys: ["label", "label!", "until"],
  later: [],
  values: { until: { isGood: isMoment, want: "want a time, or how long ago: 24h" } },
};

/** Which of the images that no container has go with `image prune`. */
export const imagePruneFilters: FilterGrammar = {
  keys: ["dangling", "label", "label!", "until"],
  later: [],
  values: { ...containerPruneFilters.values, dangling: { isGood: isTruth, want: "want true or false" } },
};

/** What `system prune` asks of all nouns. */
export const systemPruneFilters: FilterGrammar = containerPruneFilters;

function isTruth(value: string): boolean {
  return Object.hasOwn(truths, value);
}

function isMoment(value: string): boolean {
  try {
    parseMoment("until", value, 0);
    return true;
  } catch {
    return false;
  }
}

const truths: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };
const truth = { isGood: isTruth, want: "want true or false" };

export const imageFilters: FilterGrammar = {
  keys: ["before", "dangling", "label", "label!", "reference", "since", "until"],
  later: ["containers"],
  values: { dangling: truth, until: { isGood: isMoment, want: "want a time, or how long ago: 24h" } },
};

export const volumeFilters: FilterGrammar = {
  keys: ["dangling", "driver", "label", "label!", "name"],
  later: [],
  values: { dangling: truth },
};

/** Which of the volumes that no container has go with `volume prune`. */
export const volumePruneFilters: FilterGrammar = {
  keys: ["all", "label", "label!"],
  later: [],
  values: { all: truth },
};

export const networkFilters: FilterGrammar = {
  keys: ["dangling", "driver", "id", "label", "name", "scope", "type"],
  later: [],
  values: {
    dangling: truth,
    type: { isGood: (value) => value === "builtin" || value === "custom", want: "want builtin or custom" },
  },
};

/** Which of the networks that no container runs in go with `network prune`. */
export const networkPruneFilters: FilterGrammar = {
  keys: ["label", "label!", "until"],
  later: [],
  values: { until: { isGood: isMoment, want: "want a time, or how long ago: 24h" } },
};

export const searchFilters: FilterGrammar = {
  keys: ["is-automated", "is-official", "stars"],
  later: [],
  values: {
    "is-automated": truth,
    "is-official": truth,
    stars: { isGood: (value) => /^\d{1,9}$/.test(value), want: "want a number" },
  },
};

export const eventFilters: FilterGrammar = {
  keys: [
    ...["config", "container", "daemon", "event", "image", "label", "network", "node", "plugin"],
    ...["scope", "secret", "service", "type", "volume"],
  ],
  later: [],
  values: {},
};

/** The value of a filter that is true or false, once it was checked. */
export function isTrue(value: string): boolean {
  return truths[value] === true;
}

/** @throws RtError invalid-argument | unsupported: a key that the noun does not have (yet), a value that is none */
export function checkFilters(filters: Filters, grammar: FilterGrammar): void {
  for (const [key, values] of Object.entries(filters)) {
    if (grammar.later.includes(key))
      throw new RtError("unsupported", `filter '${key}' is not there yet: it comes in a later version`);
    if (!grammar.keys.includes(key))
      throw invalid(`invalid filter '${key}': there are ${grammar.keys.join(", ")}`);
    const rule = Object.hasOwn(grammar.values, key) ? grammar.values[key] : undefined;
    const bad = rule && values.find((value) => !rule.isGood(value));
    if (bad !== undefined) throw invalid(`invalid filter '${key}=${bad}': ${rule?.want}`);
  }
}

/**
 * The `filters` parameter of the API, checked. Before version 1.22 a key had an object, {"label":{"a=b":true}}: it is read too,
 * as Docker does.
 * @throws RtError as checkFilters
 */
export function parseFilters(json: string | undefined, grammar: FilterGrammar): Filters {
  const filters = readFilters(json);
  checkFilters(filters, grammar);
  return filters;
}

/** The same of any keys, in both of Docker's forms: {"status":["exited"]} and, of long ago, {"status":{"exited":true}}. */
export function readFilters(json: string | undefined): Filters {
  if (json === undefined || json === "") return {};
  return Object.fromEntries(Object.entries(objectIn(json)).map(([key, value]) => [key, listIn(value)]));
}

export function formatFilters(filters: Filters): string {
  return JSON.stringify(filters);
}

function objectIn(json: string): object {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new RtError("invalid-argument", "invalid filters: not JSON", { cause: error });
  }
  throw invalid("invalid filters: not a JSON object");
}

function listIn(value: unknown): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([text, holds]) => (holds === true ? [text] : []));
  }
  throw invalid("invalid filters: want lists of texts");
}

type Predicate<T> = (item: T) => boolean;

/** @param predicate what one KEY=VALUE asks of an item; made once for each, before any item is looked at */
export function matcher<T>(
  filters: Filters,
  predicate: (key: string, value: string) => Predicate<T>,
): Predicate<T> {
  const asked = Object.entries(filters).filter(([, values]) => values.length > 0);
  const all = asked.map(([key, values]): Predicate<T> => {
    const each = values.map((value) => predicate(key, value));
    return key === "label" || key.endsWith("!")
      ? (item) => each.every((holds) => holds(item))
      : (item) => each.some((holds) => holds(item));
  });
  return (item) => all.every((holds) => holds(item));
}

/** A name that a filter asks for: a regular expression, as Docker has it. @throws RtError invalid-argument */
export function namePattern(text: string): LinearPattern {
  try {
    return new LinearPattern(text);
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    throw new RtError("invalid-argument", `invalid filter name=${text}: ${error.message}`, { cause: error });
  }
}

/** `label=KEY` or `label=KEY=VALUE` */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const name = wanted.slice(0, equals);
  return Object.hasOwn(labels, name) && labels[name] === wanted.slice(equals + 1);
}

function invalid(message: string): RtError {
  return new RtError("invalid-argument", message);
}

import { readFileSync } from "node:fs";
import { isErrno } from "../base/errors.ts";
import { wishesOf } from "../settings/network.ts";
import { stackOf } from "../settings/network-stack.ts";
import type { ContainerRecord } from "./record.ts";

/** Where the monitor of a container that is in a network answers (zig-native/monitor/names.zig). */
const ownServer = "127.0.0.11";

/** As many servers as the C library asks. */
const serversMax = 3;

/** What a resolv.conf says. */
interface ResolvConf {
  servers: string[];
  search: string[];
  options: string[];
}

/**
 * /etc/resolv.conf of a container. In a network it names our own server, and what that knows nothing of is asked of others
 * (`upstreams`); elsewhere it is the host's, or says what the user wants.
 */
export function resolvConf(record: ContainerRecord): string {
  const inherited = fileOr("/etc/resolv.conf", "");
  const { dns, dnsSearch, dnsOptions } = record;
  // It may be in none just now.
  const isInNetwork =
    record.networks !== undefined || wishesOf(record).length > 0 || stackOf(record.networkMode) !== undefined;
  if (!isInNetwork && dns.length + dnsSearch.length + dnsOptions.length === 0) return inherited;
  const wanted = wantedOf(record, parsed(inherited));
  const { servers, search } = wanted;
  const dots = isInNetwork && dotsOf(wanted.options) === undefined ? ["ndots:0"] : [];
  const options = [...wanted.options, ...dots];
  return [
    ...(isInNetwork ? [ownServer] : servers).map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
    "",
  ].join("\n");
}

/** What the user says goes before what the host has. "." is no domain to search. */
function wantedOf({ dns, dnsSearch, dnsOptions }: ContainerRecord, inherited: ResolvConf): ResolvConf {
  return {
    servers: dns.length > 0 ? dns : inherited.servers,
    search: dnsSearch.length > 0 ? dnsSearch.filter((domain) => domain !== ".") : inherited.search,
    options: dnsOptions.length > 0 ? dnsOptions : inherited.options,
  };
}

/** Who is asked for what is not known here: the user's servers from the container's network, or the host's from the host's. */
export function upstreams(record: ContainerRecord): {
  servers: string[];
  from: "host" | "container";
  /** Names without a dot are the resolver's own business: it tries them with its search domains. */
  keepsDotless: boolean;
} {
  const { servers, options } = wantedOf(record, parsed(fileOr("/etc/resolv.conf", "")));
  const keepsDotless = (dotsOf(options) ?? 0) > 0;
  if (record.dns.length === 0) return { servers: servers.slice(0, serversMax), from: "host", keepsDotless };
  // We would ask ourselves.
  const others = servers.filter((address) => address !== ownServer);
  return { servers: others.slice(0, serversMax), from: "container", keepsDotless };
}

/** Of several lines of one kind the last counts, as resolv.conf(5) has it; but servers and options add up. */
function parsed(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], search: [], options: [] };
  for (const line of text.split("\n")) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && words[0] !== undefined) conf.servers.push(words[0]);
    if (keyword === "search" || keyword === "domain") conf.search = words;
    if (keyword === "options") conf.options.push(...words);
  }
  return conf;
}

function dotsOf(options: readonly string[]): number | undefined {
  const digits = options.map((option) => /^ndots:(\d+)$/.exec(option)?.[1]).findLast(Boolean);
  return digits === undefined ? undefined : Number(digits);
}

export function fileOr(path: string, absent: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return absent;
    throw error;
  }
}

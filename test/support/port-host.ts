/** What tests of ports ask: containers that answer, and who reaches them, as whom. */
import { image } from "../cli/world.ts";
import type { NetworkHost } from "./network-host.ts";
import { probeBinary } from "./probe.ts";
import { until } from "./wait.ts";

/** A container that answers at its port 80, or another, and tells as whom it sees who asks. */
export async function serve(
  host: NetworkHost,
  name: string,
  flags: readonly string[],
  { verb = "serve", port = 80 } = {},
): Promise<void> {
  await host.ok(["run", "-d", "--name", name, ...flags, image, "probe", verb, String(port), name]);
  await until("it serves", async () => (await host.ok(["logs", name])).includes("serving"));
}

/** What comes back, or the errno ("ETIMEDOUT"). */
export type Fetch = (address: string, port: number, more?: readonly string[]) => Promise<string>;

export const nobody = "error ETIMEDOUT connect\n";
export const refused = "error ECONNREFUSED connect\n";

const asking = async (verb: string, address: string, port: number, more: readonly string[]) => [
  ...[await probeBinary(), verb, address, String(port)],
  ...(more.length > 0 ? more : ["700"]),
];

/** Of a command that fails what it said. */
function saying(command: readonly string[]): string[] {
  return ["sh", "-c", '"$@" || true', "sh", ...command];
}

export function fetching(host: NetworkHost, verb = "fetch"): Record<"world" | "own", Fetch> {
  return {
    world: async (address, port, more = []) => host.inWorld(saying(await asking(verb, address, port, more))),
    own: async (address, port, more = []) => host.inHost(saying(await asking(verb, address, port, more))),
  };
}

/** From within a container. */
export function fetchIn(host: NetworkHost, name: string): Fetch {
  return async (address, port) => {
    const { stdout } = await host.rt(["exec", name, "probe", "fetch", address, String(port), "700"]);
    return stdout;
  };
}

/** What the firewall leads somewhere, as nft(8) shows it: "tcp . 8080 : 10.5.0.2 . 80". */
export async function ledPorts(host: NetworkHost): Promise<string[]> {
  const text = await host.inHost(["nft", "list", "ruleset"]);
  return [...text.matchAll(/((?:tcp|udp) \. \d+ : [\d.]+ \. \d+)/g)].map(([one]) => one);
}

/** Ports of the host at which somebody listens. */
export async function heldPorts(host: NetworkHost): Promise<number[]> {
  const tables = ["tcp", "udp", "tcp6", "udp6"].map((name) => `/proc/net/${name}`);
  const lines = (await host.inHost(["cat", ...tables])).split("\n");
  const listening = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ (?:0A|07) /;
  const ports = lines.flatMap((line) => listening.exec(line)?.[1] ?? []);
  return [...new Set(ports.map((port) => Number.parseInt(port, 16)))];
}

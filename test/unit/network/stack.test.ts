import { expect, test } from "bun:test";
import { parseAddress } from "../../../src/network/address.ts";
import type { PublishedPort } from "../../../src/network/port-store.ts";
import { checkStackPort, forwardRequest, planStack, usualStack } from "../../../src/network/stack.ts";
import { stackOf } from "../../../src/settings/network-stack.ts";

const port = (protocol: string, address: string, number: number, own: number): PublishedPort => ({
  container: "c",
  protocol,
  port: own,
  host: { address: parseAddress(address)!, port: number, target: undefined },
});

const argumentsOf = (mode: string, ports: PublishedPort[] = []) =>
  planStack(stackOf(mode)!, ports, "/state", "eth0").arguments;

/** What follows each `option`. */
const values = (words: readonly string[], option: string) =>
  words.flatMap((word, index) => (word === option ? [words[index + 1]!] : []));

test("pasta is told where the container is, and nothing leads in or to the host's localhost", () => {
  const words = argumentsOf("pasta");
  expect(values(words, "--netns")).toEqual(["/state/netns"]);
  expect(values(words, "--pid")).toEqual(["/state/ready"]);
  for (const option of ["-t", "-u", "-T", "-U"]) expect(values(words, option)).toEqual(["none"]);
  expect(words).toContain("--no-map-gw");
  expect(words).toContain("--foreground");
});

test("ports: one option for each address, and none of them for what is everywhere", () => {
  const words = argumentsOf("pasta", [
    port("tcp", "0.0.0.0", 8080, 80),
    port("tcp", "::", 8080, 80),
    port("tcp", "0.0.0.0", 8081, 81),
    port("tcp", "::", 8081, 81),
    port("tcp", "127.0.0.1", 9000, 90),
    port("tcp", "::1", 9000, 90),
    port("udp", "0.0.0.0", 53, 53),
  ]);
  expect(values(words, "-t")).toEqual(["8080:80,8081:81", "127.0.0.1/9000:90", "::1/9000:90"]);
  expect(values(words, "-u")).toEqual(["0.0.0.0/53:53"]);
});

test("what a user says to pasta takes the place of what we would", () => {
  const words = argumentsOf("pasta:-t,auto,--ns-ifname=net0,-a,10.9.9.9,--map-gw");
  expect(values(words, "-t")).toEqual(["auto"]);
  expect(values(words, "-I")).toEqual([]);
  expect(values(words, "-a")).toEqual(["10.9.9.9"]);
  expect(words).not.toContain("--no-map-gw");
  expect(words).not.toContain("--map-gw");
  expect(planStack(stackOf("pasta:-a,10.9.9.9")!, [], "/state", "eth0").addresses).toEqual([]);
});

test("slirp4netns: its options, and its ports at its socket", () => {
  const words = argumentsOf(
    "slirp4netns:mtu=1500,cidr=10.7.0.0/24,enable_ipv6=false,allow_host_loopback=true",
  );
  expect(words).toContain("--mtu=1500");
  expect(words).toContain("--cidr=10.7.0.0/24");
  expect(words).not.toContain("--enable-ipv6");
  expect(words).not.toContain("--disable-host-loopback");
  expect(argumentsOf("slirp4netns")).toContain("--disable-host-loopback");
  const one = port("udp", "127.0.0.1", 5300, 53);
  expect(planStack(stackOf("slirp4netns")!, [one], "/state", "eth0").requests).toEqual([forwardRequest(one)]);
  expect(JSON.parse(forwardRequest(one))).toEqual({
    execute: "add_hostfwd",
    arguments: { proto: "udp", host_addr: "127.0.0.1", host_port: 5300, guest_port: 53 },
  });
});

test("ports that the programs do not carry", () => {
  const check = (mode: string, protocol: string, address = "") =>
    checkStackPort(stackOf(mode)!, { protocol, port: 80, address });
  expect(() => check("pasta", "sctp")).toThrow("pasta carries TCP and UDP: no port 80/sctp");
  expect(() => check("slirp4netns", "tcp", "::1")).toThrow("no ports at addresses of IPv6");
  check("pasta", "tcp", "::1");
});

test("without either of them it is said what to install", () => {
  const which = Bun.which;
  Bun.which = () => null;
  try {
    expect(() => usualStack("/nowhere")).toThrow(
      "install passt or slirp4netns, or say --network none or host",
    );
  } finally {
    Bun.which = which;
  }
});

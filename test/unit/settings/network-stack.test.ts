import { expect, test } from "bun:test";
import { networkName, networkOf, parseNetworkMode } from "../../../src/settings/namespace-mode.ts";
import { slirpAddress, slirpOptions, stackOf } from "../../../src/settings/network-stack.ts";

const parsed = (text: string) => parseNetworkMode(text, "--network");

test("the programs' names are modes, and no networks", () => {
  for (const text of ["pasta", "slirp4netns", "pasta:--mtu,1500", "slirp4netns:mtu=1500,cidr=10.5.0.0/24"]) {
    expect(parsed(text)).toBe(text);
    expect(networkOf(text)).toBeUndefined();
  }
  expect(networkName("pasta:-t,auto")).toBe("pasta");
  expect(networkOf("pastas")).toBe("pastas");
  expect(stackOf("bridge")).toBeUndefined();
  expect(stackOf("pasta:-t,80")).toEqual({ kind: "pasta", options: ["-t", "80"] });
});

test.each([
  ["pasta:", "an option of pasta is empty"],
  ["pasta:sh", "want options of pasta(1)"],
  ["pasta:--netns,/proc/1/ns/net", "rt itself says --netns to pasta"],
  ["pasta:--userns=/proc/1/ns/user", "rt itself says --userns=/proc/1/ns/user to pasta"],
  ["pasta:-P,/etc/passwd", "rt itself says -P to pasta"],
  ["pasta:--runas,0", "rt itself says --runas to pasta"],
  ["pasta:a\nb", "has a control character"],
  ["slirp4netns:mtu=1", "mtu is 68 to 65521"],
  ["slirp4netns:cidr=10.0.2.7/24", "cidr is a network of IPv4"],
  ["slirp4netns:cidr=300.0.2.0/24", "cidr is a network of IPv4"],
  ["slirp4netns:enable_ipv6=maybe", "enable_ipv6 is true or false"],
  ["slirp4netns:port_handler=rootlesskit", "port_handler is slirp4netns"],
  ["slirp4netns:outbound_addr=--api-socket", "outbound_addr is an address or an interface"],
  ["slirp4netns:api-socket=/tmp/x", 'slirp4netns has no option "api-socket"'],
])("%s is refused: %s", (text, why) => {
  expect(() => parsed(text)).toThrow(why);
});

test("what slirp4netns is to be", () => {
  expect(slirpOptions(["mtu=1500", "allow_host_loopback=true", "enable_ipv6=false"])).toMatchObject({
    cidr: "10.0.2.0/24",
    mtu: 1500,
    loopback: true,
    ipv6: false,
  });
  expect(slirpAddress("10.0.2.0/24", 100)).toBe("10.0.2.100");
  expect(slirpAddress("10.7.7.128/25", 2)).toBe("10.7.7.130");
});

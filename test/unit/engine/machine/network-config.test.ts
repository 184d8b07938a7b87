import { expect, test } from "bun:test";
import {
  type MachineNetwork,
  networkIn,
  networkOfKernel,
} from "../../../../src/engine/machine/network-config.ts";
import { formatAddress } from "../../../../src/network/address.ts";

/** In words: addresses, "via" gateways, "dns" servers, and what else there is. */
function told(network: MachineNetwork | undefined): string {
  if (!network) return "nothing";
  const { dhcp, addresses, gateways, dns, search, mtu, interface: name, hostname } = network;
  const list = (word: string, values: readonly string[]) => (values.length > 0 ? [word, ...values] : []);
  return [
    ...(dhcp ? ["dhcp"] : []),
    ...addresses.map(({ address, prefix }) => `${formatAddress(address)}/${prefix}`),
    ...list("via", gateways.map(formatAddress)),
    ...list("dns", dns.map(formatAddress)),
    ...list("search", search),
    ...list("mtu", mtu === undefined ? [] : [String(mtu)]),
    ...list("on", name === undefined ? [] : [name]),
    ...list("named", hostname === undefined ? [] : [hostname]),
  ].join(" ");
}

const table = (value: unknown) => told(networkIn(value, "f", new Map([["hostname", "above"]])));

test("[network]", () => {
  expect(table({ dhcp: true })).toBe("dhcp");
  expect(
    table({ dhcp: true, address: "2001:db8::10/64", gateway: "fe80::1", dns: "192.0.2.53", mtu: 1400 }),
  ).toBe("dhcp 2001:db8::10/64 via fe80::1 dns 192.0.2.53 mtu 1400");
  const whole = {
    ...{ address: ["192.0.2.10/24", "2001:db8::10/64"], gateway: ["192.0.2.1", "2001:db8::1"] },
    ...{ dns: ["192.0.2.53", "2001:db8::53"], search: ["a.example", "b"], interface: "eth1" },
  };
  expect(table(whole)).toBe(
    "192.0.2.10/24 2001:db8::10/64 via 192.0.2.1 2001:db8::1 dns 192.0.2.53 2001:db8::53 search a.example b on eth1",
  );
});

const address = "192.0.2.10/24";
const bad: [Record<string, unknown>, string][] = [
  [{}, "network has neither dhcp = true nor an address"],
  [{ dhcp: "yes" }, "network.dhcp must be true or false"],
  [{ dhcp: true, address }, "network.address has one of IPv4, which dhcp = true asks a server for"],
  [{ address: 7 }, "network.address must be an array of strings"],
  [{ address: "192.0.2.10" }, 'network.address has "192.0.2.10", which is not like 192.0.2.10/24'],
  [{ address: "192.0.2.0/24" }, 'network.address has "192.0.2.0/24", which no host can have'],
  [{ address: "127.0.0.2/8" }, 'network.address has "127.0.0.2/8", which no host can have'],
  [{ address: "ff02::1/64" }, 'network.address has "ff02::1/64", which no host can have'],
  [{ address, gateway: "x" }, 'network.gateway has "x", which is no host\'s address'],
  [{ address, gateway: ["192.0.2.1", "192.0.2.2"] }, "network.gateway has two of IPv4"],
  [{ address, gateway: "fe80::1" }, "network.gateway has one of IPv6, and network.address none"],
  [{ address, dns: "0.0.0.0" }, 'network.dns has "0.0.0.0", which is no host\'s address'],
  [{ address, dns: Array(9).fill("192.0.2.53") }, "network.dns has more than 8"],
  [{ address, search: ["a b"] }, 'network.search has "a b", which is no domain'],
  [
    { address, search: "a\nnameserver 1.2.3.4" },
    'network.search has "a\\nnameserver 1.2.3.4", which is no domain',
  ],
  [{ address, mtu: 67 }, "network.mtu must be a number from 68 to 65535"],
  [{ address, mtu: 1400.5 }, "network.mtu must be a number from 68 to 65535"],
  [{ address, interface: "a/b" }, "network.interface must be a name of one"],
  [{ address, interface: "sixteen-letters-" }, "network.interface must be a name of one"],
  [{ adress: address }, 'unknown key "network.adress"; did you mean network.address?'],
  [{ hostname: "box" }, 'unknown key "network.hostname"; it belongs above'],
];

test("a mistake in it is one line", () => {
  for (const [value, message] of bad) expect(() => table(value)).toThrow(`config file f: ${message}`);
});

test("ip= of a kernel's command line", () => {
  const kernel = (word: string) => told(networkOfKernel(word));
  expect(["dhcp", "on", "any", "both"].map(kernel)).toEqual(Array(4).fill("dhcp"));
  expect(["", "off", "none", ":::::eth0:off", "0.0.0.0::::::none"].map(kernel)).toEqual(
    Array(5).fill("nothing"),
  );
  expect(kernel(":::::eth1:dhcp")).toBe("dhcp on eth1");
  expect(kernel("::::box:eth1:dhcp:192.0.2.53")).toBe("dhcp dns 192.0.2.53 on eth1 named box");
  expect(
    kernel("192.0.2.10:192.0.2.9:192.0.2.1:255.255.254.0:box:eth0:off:192.0.2.53:192.0.2.54:192.0.2.5"),
  ).toBe("192.0.2.10/23 via 192.0.2.1 dns 192.0.2.53 192.0.2.54 on eth0 named box");
  expect(kernel("10.0.2.15::10.0.2.2")).toBe("10.0.2.15/8 via 10.0.2.2");
  expect(kernel("192.0.2.10:::::eth0")).toBe("192.0.2.10/24 on eth0");
});

test("one that makes no sense is one line", () => {
  const words: [string, string][] = [
    ["bootp", '"bootp" is not known here: there are dhcp and off'],
    ["eth0:dhcp", "the machine's own is not an address of IPv4"],
    ["192.0.2.10:::255.0.255.0", "the netmask does not fit"],
    ["192.0.2.255:::255.255.255.0", "the netmask does not fit"],
    ["192.0.2.10::224.0.0.1", "the gateway is not an address of IPv4"],
    ["192.0.2.10:::::a/b", "there is no interface of that name"],
    ["::::::dhcp::::", "it has more than ten fields"],
    ["::::::dhcp:x", "a name server is not an address of IPv4"],
  ];
  for (const [word, why] of words) {
    expect(() => networkOfKernel(word)).toThrow(`ip=${word} on the kernel's command line: ${why}`);
  }
});

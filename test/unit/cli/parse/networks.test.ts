import { describe, expect, test } from "bun:test";
import { RtError } from "../../../../src/base/errors.ts";
import { type NetworkFlags, parseNetworks } from "../../../../src/cli/parse/networks.ts";
import { usualNetwork } from "../../../../src/settings/namespace-mode.ts";
import { type NetworkWish, plainWish } from "../../../../src/settings/network.ts";

function parsed(networks: readonly string[], flags: Partial<NetworkFlags> = {}) {
  return parseNetworks({ networkAliases: [], links: [], ...flags, networks });
}

function wish(network: string, said: Partial<NetworkWish> = {}): NetworkWish {
  return { ...plainWish(network), ...said };
}

test("one network, by its name or as a mode, about which nothing else is said", () => {
  expect(parsed([])).toEqual({ networkMode: usualNetwork });
  expect(parsed(["default"])).toEqual({ networkMode: usualNetwork });
  for (const mode of ["host", "none", "container:web", "ns:/run/a,b=c", "lab"])
    expect(parsed([mode])).toEqual({ networkMode: mode });
  expect(parsed(["name=lab"])).toEqual({ networkMode: "lab" });
});

test("several: the first one's flags, and each with its own in the long form", () => {
  const several = { networkMode: "a", networks: [wish("a"), wish("b"), wish("c")] };
  expect(parsed(["a", "b", "c"])).toEqual(several);
  expect(parsed(["a,b", "c"])).toEqual(several);
  const long = [
    "name=a,alias=x,alias=y,ip=10.1.0.7,ip6=fd00::7,mac-address=02-42-0A-01-00-07",
    ...['name=b,"driver-opt=k=v,w",driver-opt=__proto__=p,gw-priority=-3,link=db:store', "c"],
  ];
  const { networks } = parsed(long);
  expect(networks).toEqual([
    wish("a", {
      ...{ aliases: ["x", "y"], address: "10.1.0.7", address6: "fd00::7", mac: "02:42:0a:01:00:07" },
    }),
    wish("b", {
      options: Object.fromEntries([
        ["k", "v,w"],
        ["__proto__", "p"],
      ]),
      priority: -3,
      links: ["db:store"],
    }),
    wish("c"),
  ]);
  const flags = { ip: "10.1.0.7", macAddress: "02:42:0a:01:00:07", links: ["db"], networkAliases: ["z"] };
  expect(parsed(["name=a,ip6=fd00::7", "b"], flags).networks).toEqual([
    wish("a", {
      ...{ address: "10.1.0.7", address6: "fd00::7", mac: "02:42:0a:01:00:07" },
      ...{ links: ["db:db"], aliases: ["z"] },
    }),
    wish("b"),
  ]);
  const named = { options: { "com.docker.network.endpoint.ifname": "wan0" } };
  expect(parsed(["name=a,interface_name=wan0"]).networks).toEqual([wish("a", named)]);
});

describe("what cannot be is refused", () => {
  test.each<[string[], string, Partial<NetworkFlags>?]>([
    [["name=a,foo"], "invalid field foo"],
    [["name=a,=b"], "invalid field =b"],
    [["name=a,foo=b"], "invalid field key foo"],
    [["name=a,__proto__=b"], "invalid field key __proto__"],
    [["ip=10.1.0.7"], "network name/id is not specified"],
    [["name="], "invalid --network"],
    [["name=a/b"], "invalid --network"],
    [["a,"], "invalid --network"],
    [[""], "invalid --network"],
    [["name=a,ip=10.1.0"], "not an IPv4 address"],
    [["name=a,ip=fd00::1"], "not an IPv4 address"],
    [["name=a,ip6=10.1.0.1"], "not an IPv6 address"],
    [["name=a,ip6=fd00::1%eth0"], "not an IPv6 address"],
    [["name=a,mac=01:00:5e:00:00:01"], "not one that an interface can have"],
    [["name=a,gw-priority=1e3"], "invalid --network gw-priority (1e3)"],
    [["name=a,gw-priority=99999999999"], "invalid --network gw-priority"],
    [["name=a,driver-opt=k"], "invalid key value pair format in driver options"],
    [["name=a,driver-opt==v"], "invalid key value pair format in driver options"],
    [["name=a,interface_name=lo"], "want the name of an interface"],
    [["name=a,interface_name=a/b"], "want the name of an interface"],
    [["name=a,interface_name=0123456789012345"], "want the name of an interface"],
    [["name=a,alias=-x"], "invalid --network alias"],
    [["name=a,link=a:b:c"], "bad format for links"],
    [["name=a,link=:b"], "bad format for links"],
    [["name=a,\u001b[2J=b"], "control character"],
    [['name=a,"alias=x'], "stray quote"],
    [["a", "b", "a"], 'network "a" is specified multiple times'],
    [["a", "host"], "cannot attach both user-defined and non-user-defined network-modes"],
    [["none,a"], "cannot attach both user-defined and non-user-defined network-modes"],
    [["a", "container:web"], "cannot attach both user-defined and non-user-defined network-modes"],
    [
      ["name=a,alias=x"],
      "cannot specify both --network-alias and per-network alias",
      { networkAliases: ["y"] },
    ],
    [["name=a,link=x"], "cannot specify both --link and per-network links", { links: ["y"] }],
    [["name=a,ip=10.1.0.1"], "cannot specify both --ip and per-network IPv4 address", { ip: "10.1.0.2" }],
    [["name=a,ip6=fd00::1"], "cannot specify both --ip6 and per-network IPv6 address", { ip6: "fd00::2" }],
    [
      ["name=a,mac=02:00:00:00:00:01"],
      "cannot specify both --mac-address and per-network MAC address",
      { macAddress: "02:00:00:00:00:02" },
    ],
    [["host"], "host type networking can't be used with links", { links: ["db"] }],
    [["container:web"], "container type network can't be used with links", { links: ["db"] }],
    [["none"], "conflicting options: an address", { ip6: "fd00::1" }],
    [["name=host,gw-priority=3"], "conflicting options: options of a network and the network mode"],
    [["a"], "bad format for links", { links: ["a:b:c"] }],
    [["a"], "no container has such a name", { links: ["a\u00e4:b"] }],
    [["a"], "invalid --link", { links: ["db:-x"] }],
    [["a"], "control character", { links: ["a\nb:c"] }],
  ])("%j %s", (networks, why, ...[flags]) => {
    expect(() => parsed(networks, flags)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    expect(() => parsed(networks, flags)).toThrow(why);
  });

  test("anything that is typed is a network, or one line that says what is wrong", () => {
    const pieces = [
      "name=",
      "a",
      ",",
      "=",
      "ip=",
      "10.0.0.1",
      '"',
      "alias=",
      ":",
      "container:",
      "ns:/",
      "\0",
      "🐳",
    ];
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    for (let round = 0; round < 5000; round++) {
      const text = Array.from({ length: random(8) }, () => pieces[random(pieces.length)]).join("");
      try {
        for (const { network } of parsed([text]).networks ?? []) expect(network).toMatch(/^[a-zA-Z0-9]/);
      } catch (error) {
        if (!(error instanceof RtError)) throw error;
        expect(error.message).not.toMatch(/\p{Cc}/u);
      }
    }
  });
});

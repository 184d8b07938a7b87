import { expect, test } from "bun:test";
import { parseCidr } from "../../../src/network/address.ts";
import { type AskedSubnets, planSubnets } from "../../../src/network/plan.ts";
import type { SubnetRecord } from "../../../src/network/record.ts";

const nothing: AskedSubnets = {
  subnets: [],
  gateways: [],
  ranges: [],
  auxiliary: {},
  ipv4: true,
  ipv6: false,
  isDefault: false,
  isGateway: true,
};

function plan(asked: Partial<AskedSubnets>, others: string[] = [], routes: string[] = []): SubnetRecord[] {
  const records = others.map((subnet) => ({
    name: `of-${subnet}`,
    record: { labels: {}, options: {}, internal: false, subnets: [{ subnet, gateway: "", auxiliary: {} }] },
  }));
  const destinations = routes.map((text) => parseCidr(text)!.subnet);
  return planSubnets({ ...nothing, ...asked }, { others: records, routes: destinations, seed: "host" });
}

const subnetsOf = (records: SubnetRecord[]) => records.map(({ subnet }) => subnet);

test("without a wish: one of the pools that overlaps no network and no route, but for those that lead everywhere", () => {
  expect(plan({})).toEqual([{ subnet: "172.18.0.0/16", gateway: "172.18.0.1", auxiliary: {} }]);
  expect(subnetsOf(plan({ isDefault: true }))).toEqual(["172.17.0.0/16"]);
  expect(subnetsOf(plan({}, ["172.18.0.0/16"], ["172.19.4.0/24", "0.0.0.0/1", "128.0.0.0/1"]))).toEqual([
    "172.20.0.0/16",
  ]);
  const all = Array.from({ length: 14 }, (_, index) => `172.${18 + index}.0.0/16`);
  expect(subnetsOf(plan({}, all))).toEqual(["192.168.0.0/20"]);
  // The default network's own is the last that another gets.
  expect(subnetsOf(plan({}, all, ["192.168.0.0/16"]))).toEqual(["172.17.0.0/16"]);
  expect(() => plan({}, all, ["192.168.0.0/16", "172.17.1.0/24"])).toThrow("choose a subnet with --subnet");
});

test("IPv6: a /64 of the host's own, of fd00::/8, and the next where that is taken", () => {
  const [four, six] = subnetsOf(plan({ ipv6: true }));
  expect(four).toBe("172.18.0.0/16");
  expect(six).toMatch(/^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
  const [, next] = subnetsOf(plan({ ipv6: true }, [six!]));
  expect(next).not.toBe(six);
  const alone = plan({ ipv4: false, ipv6: true });
  expect(subnetsOf(alone)).toEqual([six!]);
  expect(subnetsOf(plan({ ipv4: false, subnets: ["fd11::/64"] }))).toEqual(["fd11::/64"]);
  expect(subnetsOf(plan({ ipv6: true, subnets: ["fd11::/64"] }))).toEqual(["172.18.0.0/16", "fd11::/64"]);
});

test("gateway, range and addresses that are set aside", () => {
  const auxiliary = { router: "10.1.4.0", printer: "10.1.4.1" };
  expect(plan({ subnets: ["10.1.0.0/16"], ranges: ["10.1.4.0/24"], auxiliary })).toEqual([
    { subnet: "10.1.0.0/16", gateway: "10.1.4.2", range: "10.1.4.0/24", auxiliary },
  ]);
  expect(plan({ subnets: ["10.1.0.0/16"], gateways: ["10.1.9.9"] })[0]!.gateway).toBe("10.1.9.9");
});

test.each<[Partial<AskedSubnets>, string[], string]>([
  [{ ipv4: false }, [], "IPv4 or IPv6 must be enabled"],
  [{ ipv4: false, ipv6: true, subnets: ["10.1.0.0/24"] }, [], "the network is to be without IPv4"],
  [{ subnets: ["10.1.0.0/33"] }, [], 'invalid subnet "10.1.0.0/33"'],
  [{ subnets: ["10.1.0.0/31"] }, [], "want a prefix of 8 to 30"],
  [{ subnets: ["10.0.0.0/7"] }, [], "want a prefix of 8 to 30"],
  [{ subnets: ["127.0.0.0/8"] }, [], "not for networks"],
  [{ subnets: ["224.0.0.0/8"] }, [], "not for networks"],
  [{ subnets: ["fe80::/64"] }, [], "not for networks"],
  [{ subnets: ["10.1.2.0/24"] }, ["10.1.0.0/16"], "Pool overlaps with other one"],
  [{ subnets: ["10.1.0.0/16", "10.1.2.0/24"] }, [], "Pool overlaps with other one"],
  [{ gateways: ["10.1.0.1"] }, [], "must have a corresponding subnet"],
  [{ subnets: ["10.1.0.0/16"], gateways: ["10.2.0.1"] }, [], "no matching subnet for gateway 10.2.0.1"],
  [{ subnets: ["10.1.0.0/16"], gateways: ["10.1.0.0"] }, [], "not one that a host can have"],
  [{ subnets: ["10.1.0.0/16"], gateways: ["10.1.0.1", "10.1.0.2"] }, [], "multiple gateways"],
  [{ subnets: ["10.1.0.0/16"], gateways: ["x"] }, [], 'invalid gateway "x"'],
  [{ subnets: ["10.1.0.0/16"], ranges: ["10.2.0.0/24"] }, [], "no matching subnet for range"],
  [{ subnets: ["10.1.0.0/16"], ranges: ["10.0.0.0/8"] }, [], "no matching subnet for range"],
  [{ subnets: ["10.0.0.0/16"], ranges: ["10.0.0.0/8"] }, [], "is larger than its subnet"],
  [{ subnets: ["10.1.0.0/16"], ranges: ["10.1.0.0"] }, [], 'invalid ip-range "10.1.0.0"'],
  [{ subnets: ["10.1.0.0/16"], auxiliary: { a: "10.2.0.1" } }, [], "no matching subnet for aux-address"],
  [{ subnets: ["10.1.0.0/16"], auxiliary: { a: "x" } }, [], 'invalid aux-address "x"'],
])("%p beside %p is refused", (asked, others, text) => {
  expect(() => plan(asked, others)).toThrow(text);
});

import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { ContainerStore } from "../../../src/container/container-store.ts";
import { ImageStore } from "../../../src/image/image-store.ts";
import { formatAddress } from "../../../src/network/address.ts";
import { EndpointStore } from "../../../src/network/endpoint-store.ts";
import { NetworkStore } from "../../../src/network/network-store.ts";
import { Database } from "../../../src/store/database.ts";
import { containerRecord, imageRecord, newImage, scratch } from "../store/samples.ts";

const anything = { interface: "", address: "", address6: "", mac: "" };

function codeOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof RtError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

function world() {
  const directory = scratch();
  const database = Database.open(directory.path);
  const image = imageRecord("alpine");
  new ImageStore(database).put(newImage(image));
  const containers = new ContainerStore(database);
  const networks = new NetworkStore(database);
  const endpoints = new EndpointStore(database);
  return {
    ...{ database, containers, networks, endpoints },
    network(name: string, subnet: string, gateway: string) {
      const record = {
        labels: {},
        options: {},
        internal: false,
        subnets: [{ subnet, gateway, auxiliary: {} }],
      };
      return networks.create(name, "bridge", (id) => ({ interface: `rt-${id.slice(0, 12)}`, record }));
    },
    container(letter: string) {
      const id = letter.repeat(64);
      const reference = { id: image.id, reference: "alpine" };
      containers.create(containerRecord({ id, name: `c-${letter}`, image: reference }));
      return id;
    },
    join(network: string, id: string, asked = anything) {
      const { addresses, mac } = endpoints.connect(() => networks.get(network), id, asked);
      return `${addresses.map(formatAddress)} ${mac}`;
    },
    ended: (id: string) => containers.settle(id, undefined),
    [Symbol.dispose]() {
      database.close();
      directory[Symbol.dispose]();
    },
  };
}

test("three networks are there from the beginning, once", () => {
  using it = world();
  const again = new NetworkStore(it.database);
  expect(again.list().map(({ name, driver }) => [name, driver])).toEqual([
    ["bridge", "bridge"],
    ["host", "host"],
    ["none", "null"],
  ]);
  expect(again.fingerprint()).toBe("");
  expect(codeOf(() => again.take("none", () => []))).toStartWith("forbidden: ");
});

test("by name, by id, by the beginning of an id", () => {
  using it = world();
  const { id } = it.network("lab", "10.1.0.0/24", "10.1.0.1");
  expect(codeOf(() => it.network("lab", "10.2.0.0/24", "10.2.0.1"))).toStartWith(
    "conflict: network with name lab",
  );
  for (const text of ["lab", id, id.slice(0, 7)]) expect(it.networks.get(text).name).toBe("lab");
  expect(codeOf(() => it.networks.get("nosuch"))).toBe("not-found: network nosuch not found");
  expect(codeOf(() => it.networks.get(""))).toBe("not-found: network  not found");
  const before = it.networks.fingerprint();
  expect(before).toBe(`${id} rt-${id.slice(0, 12)}`);
  expect(codeOf(() => it.networks.take("lab", () => ["x"]))).toContain("has active endpoints (x)");
  it.networks.take(id, () => []);
  expect(it.networks.fingerprint()).toBe("");
});

test("addresses: the lowest first, never one twice, and with the container they go", () => {
  using it = world();
  it.network("lab", "10.1.0.0/29", "10.1.0.1");
  it.network("other", "10.2.0.0/29", "10.2.0.1");
  const [a, b, c] = ["a", "b", "c"].map(it.container) as [string, string, string];
  expect(it.join("lab", a)).toBe("10.1.0.2 02:42:0a:01:00:02");
  expect(it.join("lab", b)).toBe("10.1.0.3 02:42:0a:01:00:03");
  expect(it.join("other", b)).toBe("10.2.0.2 02:42:0a:02:00:02");
  expect(it.join("lab", a)).toBe("10.1.0.2 02:42:0a:01:00:02");
  const endpoint = it.endpoints.ofContainer(a)[0]!.id;
  expect(codeOf(() => it.join("lab", c, { ...anything, address: "10.1.0.3", mac: "" }))).toStartWith(
    "conflict: address 10.1.0.3",
  );
  expect(it.endpoints.ofContainer(c)).toEqual([]);
  it.containers.remove(b);
  expect(it.join("lab", c, { ...anything, address: "10.1.0.3", mac: "02:00:00:00:00:09" })).toBe(
    "10.1.0.3 02:00:00:00:00:09",
  );
  expect(it.join("lab", a, { ...anything, address: "10.1.0.6", mac: "" })).toBe("10.1.0.6 02:42:0a:01:00:06");
  expect(it.endpoints.ofContainer(a).map(({ id, addresses }) => [id, addresses.length])).toEqual([
    [endpoint, 1],
  ]);
  const { id } = it.networks.get("lab");
  expect(it.endpoints.active(id).map(({ containerName }) => containerName)).toEqual(["c-a", "c-c"]);
  expect(codeOf(() => it.join("lab", "f".repeat(64)))).toStartWith("not-found: No such container");
});

test("what does not run keeps its address until all others are taken, or somebody asks for that one", () => {
  using it = world();
  it.network("lab", "10.1.0.0/29", "10.1.0.1");
  const ids = ["a", "b", "c", "d", "e"].map(it.container);
  for (const id of ids) it.join("lab", id);
  const late = it.container("f");
  expect(codeOf(() => it.join("lab", late))).toStartWith("exhausted: no available IPv4 addresses");
  it.ended(ids[1]!);
  it.ended(ids[3]!);
  expect(it.endpoints.active(it.networks.get("lab").id)).toHaveLength(3);
  expect(it.join("lab", late, { ...anything, address: "10.1.0.5", mac: "" })).toBe(
    "10.1.0.5 02:42:0a:01:00:05",
  );
  expect(it.join("lab", it.container("0"))).toBe("10.1.0.3 02:42:0a:01:00:03");
  it.containers.clearExit(ids[1]!);
  expect(codeOf(() => it.join("lab", ids[1]!))).toStartWith("exhausted: ");
});

test("a network that is given other subnets: what was leased of the old ones is not kept beside the new", () => {
  using it = world();
  const { id, record, interface: link } = it.network("lab", "10.1.0.0/29", "10.1.0.1");
  const a = it.container("a");
  it.join("lab", a);
  const subnets = [{ subnet: "10.2.0.0/29", gateway: "10.2.0.1", auxiliary: {} }];
  it.networks.change(id, () => ({ interface: link, record: { ...record, subnets } }));
  expect(it.join("lab", a)).toBe("10.2.0.2 02:42:0a:02:00:02");
  expect(it.endpoints.ofContainer(a).map(({ addresses }) => addresses.map(formatAddress))).toEqual([
    ["10.2.0.2"],
  ]);
});

test("interfaces: the lowest that is free, and kept; a name of the user's is nobody else's", () => {
  using it = world();
  for (const [number, name] of ["one", "two", "three"].entries())
    it.network(name, `10.${number}.0.0/24`, `10.${number}.0.1`);
  const [a, b] = ["a", "b"].map(it.container) as [string, string];
  const names = () => it.endpoints.ofContainer(a).map((each) => each.interface);
  for (const name of ["one", "two", "three"]) it.join(name, a);
  expect(names()).toEqual(["eth0", "eth1", "eth2"]);
  it.endpoints.disconnect(a, it.networks.get("two").id);
  expect(names()).toEqual(["eth0", "eth2"]);
  it.join("three", a);
  it.join("two", a);
  expect(names()).toEqual(["eth0", "eth1", "eth2"]);
  const taken = codeOf(() => it.join("one", a, { ...anything, interface: "eth2" }));
  expect(taken).toStartWith("conflict: the container has an interface eth2 already");
  it.join("one", a, { ...anything, interface: "wan" });
  it.join("one", b, { ...anything, interface: "wan" });
  expect(names()).toEqual(["eth1", "eth2", "wan"]);
});

test("what is being changed is pending until it is settled, and its addresses are nobody else's until then", () => {
  using it = world();
  it.network("one", "10.1.0.0/29", "10.1.0.1");
  const [a, b] = ["a", "b"].map(it.container) as [string, string];
  const { id } = it.networks.get("one");
  it.endpoints.connect(() => it.networks.get("one"), a, { ...anything, pending: true });
  expect(it.containers.amidChange()).toEqual([a]);
  expect(it.containers.networksOf(a)).toEqual([{ id, name: "one", driver: "bridge" }]);
  it.endpoints.settle(a);
  expect(it.containers.amidChange()).toEqual([]);
  expect(it.endpoints.leave(b, id)).toBe(false);
  expect(it.endpoints.leave(a, id)).toBe(true);
  expect(it.containers.amidChange()).toEqual([a]);
  expect(it.endpoints.ofContainer(a)).toMatchObject([{ pending: true }]);
  expect(it.join("one", b)).toStartWith("10.1.0.3");
  // What joins it again, as it is started, has settled it.
  it.join("one", a);
  expect(it.containers.amidChange()).toEqual([]);
  it.endpoints.disconnect(a, id);
  expect(it.containers.networksOf(a)).toEqual([]);
});

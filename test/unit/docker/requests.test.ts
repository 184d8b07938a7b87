import { describe, expect, test } from "bun:test";
import { parseCommitConfig } from "../../../src/docker/commit-config.ts";
import { parseConnect } from "../../../src/docker/network-connect.ts";
import { networkCreateDocument, parseNetworkCreate } from "../../../src/docker/network-create.ts";
import { parsePlatformQuery, platformQuery } from "../../../src/docker/platform-query.ts";
import { parseVolumeCreate, volumeCreateDocument } from "../../../src/docker/volume-create.ts";

describe("a new network", () => {
  const wanted = {
    ...{ name: "n", driver: "bridge", labels: { a: "b" }, options: { mtu: "1400" }, internal: true },
    ...{ attachable: true, ipv4: true, ipv6: true, subnets: ["10.1.0.0/16", "fd00::/64"] },
    ...{ gateways: ["10.1.0.1"], ranges: ["10.1.2.0/24"], auxiliary: { host: "10.1.0.9" } },
  };

  test("there and back", () => {
    const document: unknown = JSON.parse(JSON.stringify(networkCreateDocument(wanted)));
    expect(parseNetworkCreate(document)).toEqual(wanted);
  });

  test("as Docker's clients leave things out", () => {
    const nulls = { Driver: "", EnableIPv4: null, IPAM: null, Options: null, Labels: null, ConfigFrom: null };
    const plain = parseNetworkCreate({ Name: "n", CheckDuplicate: true, Scope: "local", ...nulls });
    expect(plain).toEqual({
      ...{ name: "n", driver: "", labels: {}, options: {}, internal: false, attachable: false },
      ...{ ipv4: true, ipv6: false, subnets: [], gateways: [], ranges: [], auxiliary: {} },
    });
    expect(parseNetworkCreate({ Name: "n", IPAM: { Driver: "default", Config: [{}] } })).toEqual(plain);
  });

  test.each([
    [undefined, "invalid name: name is empty"],
    [{ Name: 5 }, "invalid network: Name is not text"],
    [{ Name: "n", IPAM: { Config: {} } }, "invalid network: IPAM.Config is not a list"],
    [{ Name: "n", Scope: "swarm" }, "swarm is not active"],
    [{ Name: "n", ConfigOnly: true }, "there is none here"],
    [{ Name: "n", IPAM: { Driver: "other" } }, 'IPAM.Driver "other"'],
  ])("%j: %s", (document, why) => expect(() => parseNetworkCreate(document)).toThrow(why));
});

test("a container into a network", () => {
  const address = { IPAMConfig: { IPv4Address: "10.1.0.5" }, Aliases: ["db"], NetworkID: "", Gateway: "" };
  expect(parseConnect("n", { Container: "web", EndpointConfig: address })).toMatchObject({
    ...{ container: "web", force: false },
    wish: { network: "n", address: "10.1.0.5", aliases: ["db"] },
  });
  expect(parseConnect("n", { Container: "web", Force: true, EndpointConfig: null }).force).toBe(true);
  expect(() => parseConnect("n", {})).toThrow('invalid name or ID supplied: ""');
  expect(() => parseConnect("n", { Container: "web", EndpointConfig: { Aliases: 1 } })).toThrow("Aliases");
});

test("a new volume", () => {
  const wanted = { name: "v", driver: "local", labels: { a: "b" }, options: { type: "tmpfs" } };
  expect(parseVolumeCreate(volumeCreateDocument(wanted))).toEqual(wanted);
  expect(parseVolumeCreate(undefined)).toEqual({ name: "", driver: "", labels: {}, options: {} });
  expect(() => parseVolumeCreate({ Labels: { a: 1 } })).toThrow("invalid volume: Labels.a is not text");
  expect(() => parseVolumeCreate({ ClusterVolumeSpec: {} })).toThrow("not a swarm manager");
});

test("a platform in a query", () => {
  for (const text of ["linux/amd64", "linux/arm/v7"])
    expect(parsePlatformQuery(platformQuery(text))).toBe(text);
  expect(parsePlatformQuery("")).toBeUndefined();
  expect(() => parsePlatformQuery("linux/amd64")).toThrow("want JSON");
  expect(() => parsePlatformQuery('{"os":"linux"}')).toThrow("want both");
});

test("what an image of a commit is to be", () => {
  expect(parseCommitConfig(undefined)).toBeUndefined();
  expect(parseCommitConfig(null)).toBeUndefined();
  // A whole Config, as SDKs send it, of which an image says little.
  const zero = { Hostname: "h", Tty: true, User: "", Env: null, Cmd: null, Labels: {}, Healthcheck: null };
  expect(parseCommitConfig(zero)).toBeUndefined();
  const Healthcheck = { Test: ["CMD", "true"], Interval: 5 };
  const said = { Cmd: ["a"], Labels: { x: "y" }, ExposedPorts: { "80/tcp": {} }, Healthcheck };
  expect(parseCommitConfig(structuredClone({ ...zero, ...said }))).toEqual(said);
  expect(() => parseCommitConfig({ Labels: 5 })).toThrow("invalid config: Labels is not a map");
});

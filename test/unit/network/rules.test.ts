import { expect, test } from "bun:test";
import { parseCidr } from "../../../src/network/address.ts";
import { bridgeOptions } from "../../../src/network/bridge-options.ts";
import { guard } from "../../../src/network/guard.ts";
import { fence, revision } from "../../../src/network/rules.ts";

const fenced = (bridge: string, subnets: readonly string[], options: Record<string, string> = {}) => ({
  ...{ bridge, group: 7, internal: false, gateways: [], options: bridgeOptions(options) },
  subnets: subnets.map(subnet),
});
const subnet = (text: string) => parseCidr(text)!.subnet;

test("the fence of three networks, as it is told to the kernel", () => {
  const networks = [
    fenced("rt0", ["172.17.0.0/16", "fd00::/64"]),
    { ...fenced("rt-vault", ["10.1.0.0/16"]), internal: true },
    fenced("rt-plain", ["10.2.0.0/20"], { "com.docker.network.bridge.enable_ip_masquerade": "false" }),
  ];
  const [four, six] = [fence(4, "t", "c", networks), fence(6, "t", "c", networks)];
  expect([four.family, six.family]).toEqual([2, 10]);
  expect(four.sets.map(({ name, elements }) => [name, elements.length])).toEqual([
    ["bridges", 3],
    ["ports", 3],
    ["internal", 1],
    ["same", 3],
    ["strangers", 0],
    ["open", 0],
    ["trusted", 0],
    ["unprotected", 0],
    ["gateways", 0],
    ["homes", 0],
    ["aloof", 0],
    ["published", 0],
    ["anywhere", 0],
    ["handed", 0],
    ["handed-anywhere", 0],
    ["linked", 0],
    ["answers", 0],
  ]);
  const name = [...Buffer.from("rt0\0\0\0\0\0\0\0\0\0\0\0\0\0")];
  expect(four.sets[0]!.elements[0]).toEqual({ key: name });
  expect(four.sets[3]!.elements[0]).toEqual({ key: [...name, ...name] });
  const postrouting = ({ chains }: typeof four) => chains.find(({ name }) => name === "postrouting")!.rules;
  // Out, back by a port of the host, and from the host's own loopback.
  expect(postrouting(four).length).toBe(4);
  expect(postrouting(four).slice(0, 1)).toEqual([
    [
      { payload: { base: 1, offset: 12, bytes: 4, register: 8 } },
      { mask: { register: 8, mask: [255, 255, 0, 0] } },
      { compare: { register: 8, operation: 0, value: [172, 17, 0, 0] } },
      { meta: { key: 7, register: 8 } },
      { compare: { register: 8, operation: 1, value: name } },
      { masquerade: {} },
    ],
  ]);
  expect(postrouting(six)[0]!.slice(0, 2)).toEqual([
    { payload: { base: 1, offset: 8, bytes: 16, register: 8 } },
    { mask: { register: 8, mask: [...Array(8).fill(255), ...Array(8).fill(0)] } },
  ]);
});

test("whoever changes what the fence says changes the number by which older ones are known", () => {
  const digest = Bun.hash.crc32(
    JSON.stringify([
      fence(4, "t", "c", [fenced("b", ["10.0.0.0/8"])]),
      fence(6, "t", "c", [fenced("b", ["fd00::/64"])]),
      guard("t", "c", [fenced("b", ["10.0.0.0/8"])], []),
    ]),
  );
  expect([revision, digest]).toEqual([7, 2999718411]);
});

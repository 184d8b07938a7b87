import { expect, test } from "bun:test";
import { parseCidr } from "../../../src/network/address.ts";
import { fence, revision } from "../../../src/network/rules.ts";

const subnet = (text: string) => parseCidr(text)!.subnet;

test("the fence of three networks, as it is told to the kernel", () => {
  const networks = [
    {
      bridge: "rt0",
      internal: false,
      masquerade: true,
      subnets: [subnet("172.17.0.0/16"), subnet("fd00::/64")],
    },
    { bridge: "rt-vault", internal: true, masquerade: true, subnets: [subnet("10.1.0.0/16")] },
    { bridge: "rt-plain", internal: false, masquerade: false, subnets: [subnet("10.2.0.0/20")] },
  ];
  const [four, six] = [fence(4, "t", "c", networks), fence(6, "t", "c", networks)];
  expect([four.family, six.family]).toEqual([2, 10]);
  expect(four.sets.map(({ name, elements }) => [name, elements.length])).toEqual([
    ["bridges", 3],
    ["internal", 1],
    ["same", 3],
  ]);
  const name = [...Buffer.from("rt0\0\0\0\0\0\0\0\0\0\0\0\0\0")];
  expect(four.sets[0]!.elements[0]).toEqual(name);
  expect(four.sets[2]!.elements[0]).toEqual([...name, ...name]);
  const [, postrouting] = four.chains;
  expect(postrouting!.rules).toEqual([
    [
      { payload: { base: 1, offset: 12, bytes: 4, register: 1 } },
      { mask: { register: 1, mask: [255, 255, 0, 0] } },
      { compare: { register: 1, operation: 0, value: [172, 17, 0, 0] } },
      { meta: { key: 7, register: 1 } },
      { compare: { register: 1, operation: 1, value: name } },
      { masquerade: {} },
    ],
  ]);
  expect(six.chains[1]!.rules[0]!.slice(0, 2)).toEqual([
    { payload: { base: 1, offset: 8, bytes: 16, register: 1 } },
    { mask: { register: 1, mask: [...Array(8).fill(255), ...Array(8).fill(0)] } },
  ]);
});

test("whoever changes what the fence says changes the number by which older ones are known", () => {
  const digest = Bun.hash.crc32(
    JSON.stringify(
      fence(4, "t", "c", [
        { bridge: "b", internal: false, masquerade: true, subnets: [subnet("10.0.0.0/8")] },
      ]),
    ),
  );
  expect([revision, digest]).toEqual([1, 508739350]);
});

import { expect, test } from "bun:test";
import {
  addressBytes,
  addressOfBytes,
  contains,
  formatAddress,
  formatSubnet,
  lowestFree,
  overlap,
  parseAddress,
  parseCidr,
} from "../../../src/network/address.ts";

const subnet = (text: string) => parseCidr(text)!.subnet;
const value = (text: string) => parseAddress(text)!.value;

test.each([
  ["0.0.0.0", "0.0.0.0"],
  ["172.17.0.255", "172.17.0.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["fd00:0:0:1:0:0:0:2", "fd00:0:0:1::2"],
  ["fd00:0:0:1::2", "fd00:0:0:1::2"],
  ["2001:DB8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["0:0:1:0:0:0:1:1", "0:0:1::1:1"],
  ["10:0:0:100:0:0:0:1", "10:0:0:100::1"],
  ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
])("%s is %s", (text, written) => {
  const address = parseAddress(text)!;
  expect(formatAddress(address)).toBe(written);
  expect(parseAddress(written)).toEqual(address);
  expect(addressOfBytes(new Uint8Array(addressBytes(address)))).toEqual(address);
});

const none = [
  ..." 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.256 a.b.c.d ::1%eth0 ::: 1::2::3 :1 1: 1:2:3:4:5:6:7".split(" "),
  ..."1:2:3:4:5:6:7:8:9 12345:: 1::1.2.3 1.2.3.4:: ::1.2.3.4:1 g::".split(" "),
  "1.2.3.4 ",
];
test.each(none)("%p is no address", (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test("any value is written and read again", () => {
  for (let round = 0; round < 2000; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(round % 2 ? 4 : 16));
    // Runs of zeros are what is left out.
    for (let at = 0; at < bytes.length; at += 2) if (Math.random() < 0.6) bytes.fill(0, at, at + 2);
    const address = addressOfBytes(bytes);
    expect(parseAddress(formatAddress(address))).toEqual(address);
  }
});

test("subnets, with the bits behind the prefix taken away", () => {
  expect(formatSubnet(subnet("10.1.2.3/16"))).toBe("10.1.0.0/16");
  expect(formatSubnet(subnet("fd00:1:2:3::4/48"))).toBe("fd00:1:2::/48");
  for (const text of [
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/8/8",
    "::/129",
    "x/8",
  ])
    expect([text, parseCidr(text)]).toEqual([text, undefined]);
  expect(contains(subnet("10.1.0.0/16"), parseAddress("10.1.255.255")!)).toBe(true);
  expect(contains(subnet("10.1.0.0/16"), parseAddress("10.2.0.0")!)).toBe(false);
  expect(contains(subnet("0.0.0.0/0"), parseAddress("::1")!)).toBe(false);
  expect(overlap(subnet("10.1.2.0/24"), subnet("10.1.0.0/16"))).toBe(true);
  expect(overlap(subnet("10.1.0.0/16"), subnet("10.1.2.0/24"))).toBe(true);
  expect(overlap(subnet("10.1.0.0/16"), subnet("10.2.0.0/16"))).toBe(false);
});

test.each([
  ["10.0.0.0/30", "10.0.0.0/30", [], "10.0.0.1"],
  ["10.0.0.0/30", "10.0.0.0/30", ["10.0.0.1"], "10.0.0.2"],
  ["10.0.0.0/30", "10.0.0.0/30", ["10.0.0.1", "10.0.0.2"], undefined],
  ["10.0.0.0/30", "10.0.0.0/30", ["10.0.0.2"], "10.0.0.1"],
  ["10.0.0.0/31", "10.0.0.0/31", ["10.0.0.0"], "10.0.0.1"],
  ["10.0.0.0/16", "10.0.4.0/24", ["10.0.0.1", "10.0.4.0", "10.0.4.2"], "10.0.4.1"],
  ["10.0.0.0/16", "10.0.255.254/31", ["10.0.255.254"], undefined],
  ["10.0.0.0/16", "10.0.0.0/16", ["10.0.0.1", "10.0.0.1", "10.0.0.2"], "10.0.0.3"],
  ["fd00::/126", "fd00::/126", ["fd00::1", "fd00::2"], "fd00::3"],
] as const)("of %s in %s, without %p, the lowest is %s", (whole, range, taken, wanted) => {
  const found = lowestFree(subnet(whole), subnet(range), taken.map(value));
  expect(found && formatAddress(found)).toBe(wanted);
});

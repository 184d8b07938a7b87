import { expect, test } from "bun:test";
import { formatAddress, formatSubnet } from "../../../../src/network/address.ts";
import { type AddressLease, leaseIn } from "../../../../src/network/dhcp/lease.ts";
import { readServerAnswer, writeQuestion } from "../../../../src/network/dhcp/message.ts";
import { readPacket, writePacket } from "../../../../src/network/dhcp/packet.ts";
import { four, letters, long, type ServerMessage, serverMessage, usual } from "../../../support/dhcp.ts";

const mac = [2, 0, 0, 0, 0, 7];
const about = (more: Partial<ServerMessage>) =>
  serverMessage({ kind: 2, xid: 0xdeadbeef, mac, yours: "192.0.2.50", ...more });

function leaseOf(more: Partial<ServerMessage>): AddressLease | string | undefined {
  const answer = readServerAnswer(about(more));
  return answer && leaseIn(answer);
}

/** With these options in place of the usual ones of their codes. */
function withOptions(...options: [number, ArrayLike<number>][]): AddressLease | string | undefined {
  const codes = new Set(options.map(([code]) => code));
  return leaseOf({ options: [...usual.filter(([code]) => !codes.has(code)), ...options] });
}

const routes = (lease: AddressLease | string | undefined) =>
  (lease as AddressLease).routes.map(
    ({ destination, gateway }) => `${formatSubnet(destination)} ${gateway ? formatAddress(gateway) : "link"}`,
  );

test("a question is as RFC 2131 draws it", () => {
  const options = [[50, four("192.0.2.50")]] as const;
  const bytes = writeQuestion({ kind: 3, xid: 0x01020304, mac: Uint8Array.from(mac), seconds: 9.7, options });
  expect(bytes.length).toBe(300);
  expect([...bytes.subarray(0, 12)]).toEqual([1, 1, 6, 0, 1, 2, 3, 4, 0, 9, 0x80, 0]);
  expect([...bytes.subarray(28, 36)]).toEqual([...mac, 0, 0]);
  expect([...bytes.subarray(236, 251)]).toEqual([
    0x63, 0x82, 0x53, 0x63, 53, 1, 3, 50, 4, 192, 0, 2, 50, 255, 0,
  ]);
  const own = [192, 0, 2, 50] as const;
  const renewal = writeQuestion({
    kind: 3,
    xid: 1,
    mac: Uint8Array.from(mac),
    seconds: 99_999,
    own,
    options: [],
  });
  expect([...renewal.subarray(8, 16)]).toEqual([255, 255, 0, 0, 192, 0, 2, 50]);
});

test("an answer with everything", () => {
  const lease = withOptions(
    [6, [...four("192.0.2.53"), ...four("127.0.0.1"), ...four("192.0.2.54")]],
    [12, letters("box\0")],
    [15, letters("example.org")],
    [26, [5, 120]],
    [58, long(100)],
    [59, long(200)],
    [119, [3, ...letters("one"), 7, ...letters("example"), 0, 3, ...letters("two"), 0xc0, 4]],
    [
      121,
      [
        0,
        ...four("192.0.2.2"),
        15,
        198,
        18,
        ...four("0.0.0.0"),
        32,
        ...four("203.0.113.9"),
        ...four("192.0.2.3"),
      ],
    ],
  );
  expect(lease).toMatchObject({
    ...{ address: [192, 0, 2, 50], prefix: 24, server: [192, 0, 2, 1], hostname: "box", mtu: 1400 },
    ...{ search: ["one.example", "two.example"], renewal_s: 100, rebinding_s: 200, expiry_s: 3600 },
  });
  expect((lease as AddressLease).dns.map(formatAddress)).toEqual(["192.0.2.53", "192.0.2.54"]);
  expect(routes(lease)).toEqual(["0.0.0.0/0 192.0.2.2", "198.18.0.0/15 link", "203.0.113.9/32 192.0.2.3"]);
});

test("an answer with little", () => {
  const lease = leaseOf({
    options: [
      [51, long(1000)],
      [54, four("192.0.2.1")],
    ],
  });
  expect(lease).toEqual({
    ...{ address: [192, 0, 2, 50], prefix: 24, server: [192, 0, 2, 1], routes: [], dns: [], search: [] },
    ...{ renewal_s: 437.5, rebinding_s: 875, expiry_s: 1000 },
  });
  expect(routes(leaseOf({}))).toEqual(["0.0.0.0/0 192.0.2.1"]);
  expect(withOptions([51, long(0xffffffff)])).toMatchObject({ renewal_s: Infinity, expiry_s: Infinity });
  expect(withOptions([15, letters("example.org.")])).toMatchObject({ search: ["example.org"] });
});

test("options go on: twice in a message, and in the fields of a file and of a server's name", () => {
  const twice = withOptions([6, four("192.0.2.53")], [6, four("192.0.2.54")]);
  expect((twice as AddressLease).dns).toHaveLength(2);
  const file = [15, 3, ...letters("one"), 255];
  const serverName = [26, 2, 5, 120, 52, 1, 3, 255];
  const options: [number, ArrayLike<number>][] = [...usual, [52, [3]]];
  expect(leaseOf({ file, serverName, options })).toMatchObject({ search: ["one"], mtu: 1400 });
  expect(leaseOf({ file: [15, 200, 1], options })).toBe(undefined);
});

test("addresses that no host can have are refused", () => {
  for (const yours of [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.0",
    "192.0.2.255",
  ]) {
    expect([yours, leaseOf({ yours })]).toEqual([yours, "an address that no host can have"]);
  }
  expect(leaseOf({ yours: "169.254.1.1" })).toMatchObject({ prefix: 24 });
});

test("what a lease cannot do without", () => {
  for (const mask of [
    [0, 0, 0, 0],
    [255, 0, 255, 0],
    [255, 255, 255],
    [255, 255, 255, 1],
  ]) {
    expect(withOptions([1, mask])).toBe("a netmask that is none");
  }
  expect(withOptions([1, four("255.255.255.255")])).toMatchObject({ prefix: 32 });
  for (const server of [[], four("0.0.0.0"), four("127.0.0.1"), [1, 2, 3]]) {
    expect(withOptions([54, server])).toBe("no server's address");
  }
  for (const time of [long(0), long(9), [1, 2, 3]]) expect(withOptions([51, time])).toBe("no time to use it");
});

test("what it can do without is left out where it makes no sense", () => {
  const odd: [number, ArrayLike<number>][][] = [
    [
      [26, [0, 67]],
      [26, [1]],
    ],
    [[12, letters("a b")]],
    [[12, letters("-a")]],
    [[12, letters("\x1b]0;x")]],
    [[15, letters("a\nnameserver 6.6.6.6")]],
    [[6, [1, 2, 3]]],
    [[6, four("224.0.0.1")]],
    [
      [58, long(4000)],
      [59, long(5000)],
    ],
  ];
  const plain = leaseOf({});
  for (const options of odd) expect(withOptions(...options)).toEqual(plain!);
  // T1 behind T2.
  expect(withOptions([58, long(900)], [59, long(800)])).toMatchObject({ renewal_s: 400, rebinding_s: 800 });
});

test("routes that are none: the router is the one, and not a route to this host itself", () => {
  const router = ["0.0.0.0/0 192.0.2.1"];
  for (const bytes of [[33, 1, 2, 3, 4, 5], [24, 10, 1], [8], []]) {
    expect(routes(withOptions([121, bytes]))).toEqual(router);
  }
  const mixed = [8, 127, ...four("192.0.2.2"), 8, 10, ...four("127.0.0.1"), 8, 10, ...four("192.0.2.2")];
  expect(routes(withOptions([121, mixed]))).toEqual(["10.0.0.0/8 192.0.2.2"]);
  expect(routes(withOptions([3, four("192.0.2.50")]))).toEqual([]);
});

test("a search list whose pointers lead nowhere, forward or round and round", () => {
  for (const bytes of [
    [0xc0, 0],
    [1, 97, 0xc0, 0],
    [1, 97, 0xc0, 4, 0],
    [0xc0],
    [64, 97],
    [5, 97],
    [1, 97],
  ]) {
    expect(withOptions([119, bytes])).toMatchObject({ search: [] });
  }
  const many = Array.from({ length: 200 }, () => [1, 97, 0]).flat();
  expect((withOptions([119, many.slice(0, 255)]) as AddressLease).search).toHaveLength(16);
});

test("what is no message of a server is none", () => {
  const good = about({});
  const broken = (at: number, byte: number) => {
    const bytes = good.slice();
    bytes[at] = byte;
    return readServerAnswer(bytes);
  };
  expect(readServerAnswer(good)).toMatchObject({ kind: 2, xid: 0xdeadbeef });
  expect([broken(0, 1), broken(1, 6), broken(2, 16), broken(236, 0)]).toEqual(Array(4).fill(undefined));
  expect(readServerAnswer(good.subarray(0, 239))).toBe(undefined);
  // The last option promises more than there is.
  expect(readServerAnswer(good.subarray(0, good.length - 2))).toBe(undefined);
  expect(readServerAnswer(serverMessage({ xid: 1, mac }))).toBe(undefined);
});

test("a packet is as the kernel would make it, and another's is read whatever its checksum of UDP", () => {
  const packet = writePacket(Uint8Array.of(1, 2, 3), [0, 0, 0, 0], [255, 255, 255, 255]);
  // The sums are those of RFC 1071, reckoned elsewhere.
  expect(Buffer.from(packet).toString("hex")).toBe(
    "4500001f0000000040117acf00000000ffffffff00440043000bfb4f010203",
  );
  const reply = packet.slice();
  reply.set([0, 67, 0, 68], 20);
  reply[26] = 0x12;
  expect([...readPacket(reply)!]).toEqual([1, 2, 3]);
  expect([...readPacket(Buffer.concat([reply, Buffer.alloc(20)]))!]).toEqual([1, 2, 3]);
  const changes: [number, number][] = [
    [0, 0x65],
    [0, 0x44],
    [0, 0x4f],
    [2, 1],
    [3, 27],
    [6, 0x20],
    [7, 1],
    [8, 63],
    [9, 6],
    [21, 66],
    [23, 67],
    [25, 7],
    [25, 99],
  ];
  for (const [at, byte] of changes) {
    const bytes = reply.slice();
    bytes[at] = byte;
    expect([at, readPacket(bytes)]).toEqual([at, undefined]);
  }
  expect(readPacket(packet)).toBe(undefined);
});

/** Packets that a client of DHCP may get, made up: RT_FUZZ_SECONDS makes it longer, RT_FUZZ_SEED repeats a run. */
import { expect, test } from "bun:test";
import { type AddressLease, isHost, leaseIn } from "../../src/network/dhcp/lease.ts";
import { readServerAnswer } from "../../src/network/dhcp/message.ts";
import { readPacket, writePacket } from "../../src/network/dhcp/packet.ts";
import { four, letters, long, serverMessage, usual } from "../support/dhcp.ts";
import { seeded } from "./mutate.ts";

const seconds = Number(process.env.RT_FUZZ_SECONDS || 3);
const seed = Number(process.env.RT_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

const seeds = [
  serverMessage({ kind: 2, xid: 1, mac: [2, 0, 0, 0, 0, 7], yours: "192.0.2.50" }),
  serverMessage({
    ...{ kind: 5, xid: 1, mac: [2, 0, 0, 0, 0, 7], yours: "10.1.2.3" },
    file: [15, 3, ...letters("one"), 255],
    serverName: [26, 2, 5, 120, 255],
    options: [
      ...usual,
      [6, [...four("192.0.2.53"), ...four("192.0.2.54")]],
      [12, letters("box")],
      [52, [3]],
      [58, long(100)],
      [59, long(200)],
      [119, [3, ...letters("one"), 7, ...letters("example"), 0, 3, ...letters("two"), 0xc0, 4]],
      [121, [0, ...four("192.0.2.2"), 15, 198, 18, ...four("0.0.0.0")]],
    ],
  }),
];
/** Bytes that mean something somewhere. */
const telling = [0, 1, 3, 4, 6, 12, 15, 26, 32, 33, 51, 52, 53, 54, 63, 64, 119, 121, 127, 128, 0xc0, 0xff];

/** Nothing that the kernel or a file should not be told. */
function check(lease: AddressLease): void {
  const texts = [...lease.search, lease.hostname ?? "a"].join(" ");
  expect(texts).toMatch(/^[A-Za-z0-9_. -]*$/);
  expect(isHost(lease.address) && isHost(lease.server)).toBe(true);
  expect(lease.prefix >= 1 && lease.prefix <= 32).toBe(true);
  expect(lease.mtu === undefined || (lease.mtu >= 576 && lease.mtu <= 65_535)).toBe(true);
  expect(lease.routes.length <= 64 && lease.dns.length <= 8 && lease.search.length <= 16).toBe(true);
  const { renewal_s, rebinding_s, expiry_s } = lease;
  const ordered = renewal_s > 0 && renewal_s <= rebinding_s && rebinding_s <= expiry_s && expiry_s >= 10;
  expect(ordered).toBe(true);
}

test(
  `no packet does harm (seed ${seed})`,
  () => {
    const random = seeded(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const end = Date.now() + seconds * 1000;
    let [cases, leases] = [0, 0];
    // A busy machine takes longer for as many.
    while (Date.now() < end || cases < 1000 * seconds) {
      cases++;
      const bytes = seeds[below(seeds.length)]!.slice(0, below(4) === 0 ? below(400) : undefined);
      for (let edits = below(5); edits > 0; edits--) {
        const at = below(3) === 0 ? below(bytes.length) : Math.min(236 + below(120), bytes.length - 1);
        if (at >= 0) bytes[at] = below(2) === 0 ? below(256) : telling[below(telling.length)]!;
      }
      const answer = readServerAnswer(bytes);
      const lease = answer && leaseIn(answer);
      if (typeof lease === "object") {
        leases++;
        check(lease);
      }
      const packet = writePacket(bytes, [192, 0, 2, 1], [255, 255, 255, 255]);
      packet.set([0, 67, 0, 68], 20);
      expect(readPacket(packet)?.length).toBe(bytes.length);
      packet[below(30)] = below(256);
      const data = readPacket(packet.subarray(0, below(packet.length + 1)));
      expect((data?.length ?? 0) <= packet.length).toBe(true);
    }
    expect(leases).toBeGreaterThan(cases / 20);
  },
  (seconds + 60) * 1000,
);

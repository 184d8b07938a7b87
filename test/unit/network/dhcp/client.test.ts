/** The client against servers that the tests make up, on a clock that stands still but for what is waited for. */
import { expect, test } from "bun:test";
import { keepLease, type Wire } from "../../../../src/network/dhcp/client.ts";
import type { AddressLease } from "../../../../src/network/dhcp/lease.ts";
import { four, long, type ServerMessage, serverMessage, usual } from "../../../support/dhcp.ts";

const mac = Uint8Array.of(2, 0, 0, 0, 0, 7);

interface Asked {
  kind: number;
  xid: number;
  /** Option 50, or the address in use. */
  address: string;
  way: "broadcast" | "unicast";
  at_s: number;
}

/** What the server sends for a question: any number of messages, each some time later. */
type Server = (asked: Asked) => (Partial<ServerMessage> & { after_s?: number })[];

/** All that happens until `end_s`. */
async function story(server: Server, end_s: number): Promise<{ told: string[]; asked: Asked[] }> {
  let now_ms = 0;
  let number = 1;
  const [stop, told, asked] = [new AbortController(), [] as string[], [] as Asked[]];
  const pending: { at_ms: number; data: Uint8Array }[] = [];
  const pass = (ms: number) => {
    now_ms += ms;
    if (now_ms >= end_s * 1000) stop.abort();
  };
  const hear = (data: Uint8Array, way: Asked["way"]) => {
    const view = new DataView(data.buffer);
    const option = (code: number) => {
      for (let at = 240; data[at] !== 255; at += 2 + data[at + 1]!) {
        if (data[at] === code) return data.subarray(at + 2, at + 2 + data[at + 1]!);
      }
      return undefined;
    };
    const address = (option(50) ?? data.subarray(12, 16)).join(".");
    const question = { kind: option(53)![0]!, xid: view.getUint32(4), address, way, at_s: now_ms / 1000 };
    asked.push(question);
    for (const { after_s = 0, ...answer } of server(question)) {
      const message = serverMessage({ xid: question.xid, mac, ...answer });
      pending.push({ at_ms: now_ms + after_s * 1000, data: message });
    }
  };
  const wire: Wire = {
    mac,
    broadcast: (data) => hear(data, "broadcast"),
    unicast: (data) => hear(data, "unicast"),
    async receive(wait_ms) {
      const next = pending
        .filter(({ at_ms }) => at_ms <= now_ms + wait_ms)
        .sort((a, b) => a.at_ms - b.at_ms)[0];
      pass(next ? Math.max(next.at_ms - now_ms, 0) : wait_ms);
      if (!next) return undefined;
      pending.splice(pending.indexOf(next), 1);
      return next.data;
    },
    close: () => pending.splice(0),
  };
  const named = (lease: AddressLease) => lease.address.join(".");
  await keepLease({
    open: () => wire,
    hostname: "box",
    now_ms: () => now_ms,
    random: () => number++ * 1000,
    async sleep(ms) {
      // Of more than this a timer makes none at all.
      expect(ms).toBeLessThan(2 ** 31);
      pass(ms);
    },
    take: (lease, before) =>
      void told.push(`${now_ms / 1000} s: ${before ? "again" : "takes"} ${named(lease)}`),
    giveUp: (lease, why) => void told.push(`${now_ms / 1000} s: gives up ${named(lease)}: ${why}`),
    say: (line) => void told.push(line),
    stop: stop.signal,
  });
  return { told, asked };
}

const offer = { kind: 2, yours: "192.0.2.50" };
const ack = { kind: 5, yours: "192.0.2.50" };
const nak = { kind: 6, options: [[54, four("192.0.2.1")]] as [number, number[]][] };
const generous: Server = ({ kind }) => [kind === 1 ? offer : ack];

test("discover, offer, request, ack; then the server is asked again at half of the time", async () => {
  const { told, asked } = await story(generous, 4000);
  expect(told).toEqual(["0 s: takes 192.0.2.50", "1575 s: again 192.0.2.50", "3150 s: again 192.0.2.50"]);
  expect(asked.map(({ kind, way, address }) => `${kind} ${way} ${address}`)).toEqual([
    "1 broadcast 0.0.0.0",
    "3 broadcast 192.0.2.50",
    "3 unicast 192.0.2.50",
    "3 unicast 192.0.2.50",
  ]);
  // An exchange has a number of its own, and the request that of the offer.
  expect(asked[1]!.xid).toBe(asked[0]!.xid);
  expect(new Set(asked.map(({ xid }) => xid)).size).toBe(3);
});

test("nobody answers: it asks on, with pauses that double up to a minute", async () => {
  const { asked } = await story(() => [], 300);
  const pauses = asked.slice(1).map(({ at_s }, index) => Math.floor(at_s - asked[index]!.at_s));
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64]);
});

test("an offer that comes late is still one, and so is an ack to a request that was said again", async () => {
  let requests = 0;
  const { told, asked } = await story(({ kind }) => {
    if (kind === 1) return [{ ...offer, after_s: 2.5 }];
    return ++requests === 3 ? [ack] : [];
  }, 20);
  expect(told).toEqual([expect.stringMatching(/^\d\.\d* s: takes 192\.0\.2\.50$/)]);
  expect(asked.filter(({ kind }) => kind === 3)).toHaveLength(3);
});

test("answers to others, of others, and nonsense are not heard", async () => {
  const { told } = await story(
    ({ kind, xid }) => [
      { ...offer, xid: xid + 1 },
      { ...offer, mac: [2, 0, 0, 0, 0, 8] },
      { ...offer, yours: "127.0.0.1" },
      { ...offer, kind: 5 },
      {
        ...(kind === 1
          ? offer
          : { ...ack, options: [...usual.slice(0, 3), [54, four("192.0.2.66")] as const] }),
        yours: "192.0.2.51",
      } as ServerMessage,
    ],
    3,
  );
  expect(told).toEqual(["a server's answer has an address that no host can have: not taken"]);
});

test("a no to the request: from the beginning, and not at once", async () => {
  const { told, asked } = await story(({ kind }) => [kind === 1 ? offer : nak], 60);
  expect(told).toEqual([]);
  expect(asked.length).toBeLessThan(14);
  expect(new Set(asked.map(({ xid }) => xid)).size).toBe(asked.length / 2);
});

test("the server is gone: at T2 everybody is asked, at the end the address is given up, and a new one asked for", async () => {
  let gone = false;
  const { told, asked } = await story(({ kind, at_s }) => {
    if (gone && at_s < 3600) return [];
    if (kind === 3) gone = true;
    return [kind === 1 ? offer : ack];
  }, 3700);
  expect(told).toEqual([
    "0 s: takes 192.0.2.50",
    "3600 s: gives up 192.0.2.50: its time is over",
    expect.stringMatching(/takes 192\.0\.2\.50$/),
  ]);
  const renewals = asked.filter(({ address, at_s }) => address === "192.0.2.50" && at_s > 0 && at_s < 3600);
  expect(renewals.every(({ way, at_s }) => way === (at_s < 3150 ? "unicast" : "broadcast"))).toBe(true);
  expect(renewals.length).toBeLessThan(16);
});

test("another server answers at T2", async () => {
  const { told } = await story(({ kind, way, at_s }) => {
    if (kind === 1) return [offer];
    return way === "broadcast" || at_s === 0 ? [ack] : [];
  }, 3300);
  expect(told).toEqual(["0 s: takes 192.0.2.50", "3150 s: again 192.0.2.50"]);
});

test("a lease that is another at its renewal is taken; one that is taken back is given up", async () => {
  const { told } = await story(({ kind, at_s }) => {
    if (kind === 1) return [{ ...offer, yours: at_s > 3000 ? "192.0.2.52" : "192.0.2.50" }];
    if (at_s < 1) return [ack];
    if (at_s < 2000) return [{ ...ack, yours: "192.0.2.51" }];
    return [at_s < 3152 ? nak : { ...ack, yours: "192.0.2.52" }];
  }, 3300);
  expect(told).toEqual([
    "0 s: takes 192.0.2.50",
    "1575 s: again 192.0.2.51",
    "3150 s: gives up 192.0.2.51: the server takes it back",
    expect.stringMatching(/takes 192\.0\.2\.52$/),
  ]);
});

test("a lease without an end is held, and times beyond what a timer counts are waited for", async () => {
  const options = [...usual.filter(([code]) => code !== 51), [51, long(0xffffffff)] as [number, number[]]];
  const endless = await story(({ kind }) => [{ ...(kind === 1 ? offer : ack), options }], 5_000_000);
  expect(endless.asked).toHaveLength(2);
  const years = [...usual.filter(([code]) => code !== 51), [51, long(0xfffffffe)] as [number, number[]]];
  const long_ = await story(({ kind }) => [{ ...(kind === 1 ? offer : ack), options: years }], 5_000_000);
  expect(long_.asked).toHaveLength(2);
});

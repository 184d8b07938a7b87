/**
 * A client of DHCP for one interface (RFC 2131, 4.4): it asks until somebody answers, and keeps what it got.
 *
 *   discover --> offer --> request --> ack: bound ---- T1: request to the server ----> ack: bound anew
 *      ^ (pauses double, to a minute)    |               | T2: request to everybody
 *      `---------- nak ------------------'<--- nak, or the time is over: the address is given up
 *
 * Whatever answers is heard only with the number of this exchange and this interface's own address of Ethernet.
 */
import { type AddressLease, leaseIn } from "./lease.ts";
import {
  type Address4,
  code,
  kinds,
  type Question,
  readServerAnswer,
  type ServerAnswer,
  writeQuestion,
} from "./message.ts";

/** The link, for as long as somebody may answer. */
export interface Wire {
  mac: Uint8Array;
  /** From port 68 to port 67 of everybody. `own`: our address, once we have one. */
  broadcast(data: Uint8Array, own?: Address4): void;
  unicast(data: Uint8Array, own: Address4, server: Address4): void;
  /** What comes next from port 67 to port 68; undefined: nothing within that time, or `stop` is aborted. */
  receive(wait_ms: number, stop: AbortSignal): Promise<Uint8Array | undefined>;
  close(): void;
}

export interface Keeping {
  /**
   * For the answers of the exchange `xid`; others may come too.
   * @throws whatever says that there is no such link now: it is tried again
   */
  open(xid: number): Wire;
  /** This machine's name, for the server. */
  hostname: string | undefined;
  /** A clock that nobody sets. */
  now_ms(): number;
  /** 0 to 2^32 - 1, that nobody can guess. */
  random(): number;
  sleep(ms: number, stop: AbortSignal): Promise<void>;
  /** There is a lease, or it has become another. */
  take(lease: AddressLease, before: AddressLease | undefined): void;
  /** It may not be used any more. */
  giveUp(lease: AddressLease, why: string): void;
  say(line: string): void;
  stop: AbortSignal;
}

const pauses_ms = { first: 1000, longest: 64_000 } as const;
/** Nobody takes longer than this to answer; the socket is closed after that. */
const listening_ms = 10_000;
const requests = 4;
const renewalPauseMin_ms = 60_000;
/** Timers do not count much further. */
const sleepMax_ms = 3_600_000;
const messageMax = 1472;
/** Option 121 before 3, as RFC 3442 wants it. */
const wanted = [
  ...[code.mask, code.routes, code.routers, code.servers, code.hostname, code.domain, code.mtu],
  ...[code.leaseTime, code.server, code.renewal, code.rebinding, code.search],
];

type Told = { kind: "ack"; lease: AddressLease } | { kind: "nak" };

/** Until it is stopped. */
export async function keepLease(keeping: Keeping): Promise<void> {
  await new Client(keeping).run();
}

class Client {
  readonly #keeping: Keeping;
  readonly #told = new Set<string>();
  /** Of one exchange, until its request: an offer may come late, to a question that was asked again meanwhile. */
  #xid: number;
  #began_ms: number;

  constructor(keeping: Keeping) {
    this.#keeping = keeping;
    this.#xid = keeping.random();
    this.#began_ms = keeping.now_ms();
  }

  async run(): Promise<void> {
    const { stop, take, giveUp } = this.#keeping;
    let attempt = 0;
    while (!stop.aborted) {
      const asked_ms = this.#keeping.now_ms();
      const lease = await this.#acquire(attempt++);
      if (!lease) continue;
      take(lease, undefined);
      this.#told.clear();
      const { last, why } = await this.#hold(lease, asked_ms);
      if (stop.aborted) return;
      giveUp(last, why);
      // One who says yes and then no is not asked all the time.
      attempt = Math.min(attempt, 3);
      this.#began_ms = this.#keeping.now_ms();
    }
  }

  /** One attempt, and the pause after it. */
  async #acquire(attempt: number): Promise<AddressLease | undefined> {
    const { stop, now_ms } = this.#keeping;
    const pause_ms = Math.min(pauses_ms.first * 2 ** Math.min(attempt, 10), pauses_ms.longest);
    const next_ms = now_ms() + pause_ms + (this.#keeping.random() % 500);
    const lease = await this.#listening(this.#xid, (wire) => this.#select(wire, next_ms));
    if (!lease && !stop.aborted) await this.#sleepUntil(next_ms);
    return lease;
  }

  async #select(wire: Wire, until_ms: number): Promise<AddressLease | undefined> {
    const { now_ms, random } = this.#keeping;
    const xid = this.#xid;
    const seconds = () => (now_ms() - this.#began_ms) / 1000;
    wire.broadcast(this.#question(wire, { kind: kinds.discover, xid, seconds: seconds(), options: [] }));
    const offered = await this.#answer(wire, xid, until_ms, (answer) => {
      if (answer.kind !== kinds.offer) return undefined;
      const lease = this.#leaseOf(answer);
      return lease && { kind: "ack", lease };
    });
    if (offered?.kind !== "ack") return undefined;
    this.#xid = random();
    const { address, server } = offered.lease;
    const options = [
      [code.address, address],
      [code.server, server],
    ] as const;
    for (let attempt = 0; attempt < requests; attempt++) {
      wire.broadcast(this.#question(wire, { kind: kinds.request, xid, seconds: seconds(), options }));
      const told = await this.#answer(wire, xid, now_ms() + pauses_ms.first * 2 ** attempt, (answer) => {
        const from = answer.options.get(code.server);
        return from && same(from, server) ? this.#verdict(answer) : undefined;
      });
      if (told?.kind === "nak") return undefined;
      if (told && same(told.lease.address, address)) return told.lease;
    }
    return undefined;
  }

  /** As long as it is ours. @returns the lease as it was at last, and why it is ours no longer */
  async #hold(first: AddressLease, asked_ms: number): Promise<{ last: AddressLease; why: string }> {
    const { take, stop, now_ms } = this.#keeping;
    let [lease, since_ms] = [first, asked_ms];
    while (!stop.aborted) {
      const at = (seconds: number) => since_ms + seconds * 1000;
      await this.#sleepUntil(at(lease.renewal_s));
      const again_ms = now_ms();
      const told =
        (await this.#extend(lease, at(lease.rebinding_s), "unicast")) ??
        (await this.#extend(lease, at(lease.expiry_s), "broadcast"));
      if (stop.aborted) break;
      if (told?.kind !== "ack") {
        return { last: lease, why: told ? "the server takes it back" : "its time is over" };
      }
      take(told.lease, lease);
      [lease, since_ms] = [told.lease, again_ms];
    }
    return { last: lease, why: "stopped" };
  }

  /** Ask for more time until it is said, or `until_ms`. */
  async #extend(
    lease: AddressLease,
    until_ms: number,
    way: "unicast" | "broadcast",
  ): Promise<Told | undefined> {
    const { stop, now_ms } = this.#keeping;
    const began_ms = now_ms();
    while (!stop.aborted && now_ms() < until_ms) {
      const xid = this.#keeping.random();
      const told = await this.#listening(xid, async (wire) => {
        const seconds = (now_ms() - began_ms) / 1000;
        const { address: own, server } = lease;
        const data = this.#question(wire, { kind: kinds.request, xid, seconds, own, options: [] });
        if (way === "unicast") wire.unicast(data, own, server);
        else wire.broadcast(data, own);
        return await this.#answer(wire, xid, until_ms, (answer) => this.#verdict(answer));
      });
      if (told) return told;
      const left_ms = until_ms - now_ms();
      await this.#sleepUntil(now_ms() + Math.min(left_ms, Math.max(left_ms / 2, renewalPauseMin_ms)));
    }
    return undefined;
  }

  /** `ask` with the link open; undefined also where it cannot be. */
  async #listening<T>(xid: number, ask: (wire: Wire) => Promise<T | undefined>): Promise<T | undefined> {
    let wire: Wire | undefined;
    try {
      wire = this.#keeping.open(xid);
      return await ask(wire);
    } catch (error) {
      this.#say((error as Error).message);
      return undefined;
    } finally {
      wire?.close();
    }
  }

  /** The first answer to `xid` that `meant` takes; undefined when nobody has given it in time. */
  async #answer(
    wire: Wire,
    xid: number,
    until_ms: number,
    meant: (answer: ServerAnswer) => Told | undefined,
  ): Promise<Told | undefined> {
    const { stop, now_ms } = this.#keeping;
    const end_ms = Math.min(until_ms, now_ms() + listening_ms);
    while (!stop.aborted && now_ms() < end_ms) {
      const data = await wire.receive(end_ms - now_ms(), stop);
      const answer = data && readServerAnswer(data);
      const told = answer?.xid === xid && same(answer.mac, wire.mac) ? meant(answer) : undefined;
      if (told) return told;
    }
    return undefined;
  }

  #verdict(answer: ServerAnswer): Told | undefined {
    if (answer.kind === kinds.nak) return { kind: "nak" };
    const lease = answer.kind === kinds.ack ? this.#leaseOf(answer) : undefined;
    return lease && { kind: "ack", lease };
  }

  #leaseOf(answer: ServerAnswer): AddressLease | undefined {
    const lease = leaseIn(answer);
    if (typeof lease !== "string") return lease;
    this.#say(`a server's answer has ${lease}: not taken`);
    return undefined;
  }

  /** Each line once, until there is a lease: whoever floods us does not flood the console. */
  #say(line: string): void {
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#keeping.say(line);
  }

  #question(wire: Wire, question: Omit<Question, "mac">): Uint8Array {
    const { hostname } = this.#keeping;
    const more: [number, ArrayLike<number>][] = [
      [code.sizeMax, [messageMax >> 8, messageMax & 255]],
      [code.wanted, wanted],
    ];
    if (hostname !== undefined) more.push([code.hostname, Buffer.from(hostname, "latin1")]);
    return writeQuestion({ ...question, mac: wire.mac, options: [...question.options, ...more] });
  }

  async #sleepUntil(target_ms: number): Promise<void> {
    const { stop, now_ms, sleep } = this.#keeping;
    while (!stop.aborted && now_ms() < target_ms) {
      await sleep(Math.min(target_ms - now_ms(), sleepMax_ms), stop);
    }
  }
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && Array.from(a).every((byte, index) => byte === b[index]);
}

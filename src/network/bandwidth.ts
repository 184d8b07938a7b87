import { RtError } from "../base/errors.ts";
import { type Operation, operate, refused } from "./netlink.ts";

/** Bits per second of what a container sends, and of what it receives; 0 is no limit. */
export interface Bandwidth {
  up: number;
  down: number;
}

/** An interface of the host's that packets of one container go around by. */
export interface Detour {
  name: string;
  group: number;
}

/**
 * How fast the interface that is `port` on the host's side may go:
 *
 *   container eth0 <-- tbf -- port            down: what leaves the port waits for its turn
 *   container eth0 --> port --> detour: tbf   up: what arrives at it goes around by an interface (ifb), and waits when it leaves that
 *
 * All of it is on the host's side, where a container has no say, whatever its capabilities are. What is at the port goes with it;
 * the detour has to be taken away.
 */
export function limitPort(port: string, mtu: number, { up, down }: Bandwidth, detour: Detour): void {
  const { name, group } = detour;
  if (down > 0) insist({ shape: { name: port, bytes: bucketOf(down, mtu) } });
  else insist({ unshape: { name: port } }, notThere);
  // Twice the same way would be two ways.
  insist({ straighten: { name: port } }, notThere);
  if (up === 0) {
    removeDetour(name);
    return;
  }
  insist({ plain: { name, kind: "ifb", group } }, ["EEXIST"]);
  insist({ shape: { name, bytes: bucketOf(up, mtu) } });
  insist({ redirect: { name: port, to: name } });
}

export function removeDetour(name: string): void {
  insist({ remove: { name } }, ["ENODEV"]);
}

/** What the kernel says where there is nothing to take away. */
const notThere = ["ENOENT", "EINVAL"];
/** What it says where it does not know such a thing. */
const unknown = ["ENOENT", "EOPNOTSUPP"];

function insist(operation: Operation, except: readonly string[] = []): void {
  const refusal = operate([operation]);
  if (!refusal || except.includes(refusal.errno)) return;
  const what = "cannot limit the bandwidth";
  if (!unknown.includes(refusal.errno)) throw refused(what, refusal);
  const parts = "tbf, ingress, u32, mirred, ifb";
  throw new RtError("unsupported", `${what}: this kernel lacks a part of traffic control (${parts})`);
}

/** In bytes. What may go at once is what a timer's tick is worth, and at least a packet with its header; 50 ms may wait. */
export function bucketOf(bits: number, mtu: number): { rate: number; burst: number; limit: number } {
  const rate = Math.max(Math.round(bits / 8), 1);
  const burst = atMost32(Math.max(rate / 100, 16_384, mtu + 64));
  return { rate, burst, limit: atMost32(burst + Math.max(rate / 20, 32_768)) };
}

function atMost32(bytes: number): number {
  return Math.min(Math.ceil(bytes), 0xffff_ffff);
}

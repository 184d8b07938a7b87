import { is, isUnder, transport, transportBytes } from "./expressions.ts";
import type { Expression } from "./netlink.ts";

/** enum nft_rt_keys; MAXSEG of TCP's options */
const [keySegment, maxSegment] = [3, 2];
const [tcp, syn, rst] = [6, 0x02, 0x04];
const flags = transportBytes(13, 1);
const register = 1;

/**
 * A connection of TCP that goes by here begins with segments that fit its whole way, also where what is further on is narrower
 * than the container's own interface and whoever would have to say so is not heard:
 *
 *   meta l4proto tcp tcp flags syn / syn,rst <between> tcp option maxseg size set rt mtu
 */
export function clamped(between: readonly Expression[]): Expression[] {
  return [
    ...is(transport, [tcp]),
    ...isUnder(flags, [syn | rst], [syn]),
    ...between,
    { rt: { register, key: keySegment } },
    { byteorder: { register, bytes: 2 } },
    { exthdr: { register, type: maxSegment, offset: 2, bytes: 2 } },
  ];
}

import { check, native } from "../../native/ffi.ts";
import { closeDescriptor } from "../../native/system.ts";
import type { Uplink } from "../interfaces.ts";
import type { Wire } from "./client.ts";
import type { Address4 } from "./message.ts";
import { readPacket, writePacket } from "./packet.ts";

const packetBytesMax = 2048;
const EAGAIN = 11;
/** Answers come within a few milliseconds, or from far away. */
const pauses_ms = { first: 2, longest: 100 } as const;
/** Of what somebody floods us with, so much is looked at before others have their turn. */
const packetsAtOnce = 64;
const nobody: Address4 = [0, 0, 0, 0];
const everybody: Address4 = [255, 255, 255, 255];

/** The link as packets go over it, and answers of the exchange `xid` come back. @throws RtError */
export function openWire({ name, index, mac }: Uplink, xid: number): Wire {
  const what = `cannot ask for an address on ${name}`;
  const fd = check(native().rt_packet_open(index, xid, mac), what);
  const buffer = new Uint8Array(packetBytesMax);
  const next = (): Uint8Array | "nothing" | "more" => {
    for (let count = 0; count < packetsAtOnce; count++) {
      const length = native().rt_packet_receive(fd, buffer, buffer.length);
      if (length === -EAGAIN) return "nothing";
      check(length, what);
      const data = length <= buffer.length ? readPacket(buffer.subarray(0, length)) : undefined;
      if (data) return data.slice();
    }
    return "more";
  };
  return {
    mac,
    broadcast(data, own = nobody) {
      const packet = writePacket(data, own, everybody);
      check(native().rt_packet_broadcast(fd, index, packet, packet.length), what);
    },
    unicast(data, own, server) {
      const [from, to] = [Uint8Array.from(own), Uint8Array.from(server)];
      check(native().rt_packet_unicast(from, to, data, data.length), what);
    },
    async receive(wait_ms, stop) {
      const end_ms = performance.now() + wait_ms;
      let pause_ms = 0;
      while (!stop.aborted) {
        // Also where there is always something to read others have their turn.
        await Bun.sleep(Math.min(pause_ms, Math.max(end_ms - performance.now(), 0)));
        const read = next();
        if (read !== "more") pause_ms = Math.min(pause_ms * 1.5 + pauses_ms.first, pauses_ms.longest);
        if (typeof read === "object") return read;
        if (performance.now() >= end_ms) return undefined;
      }
      return undefined;
    },
    close: () => closeDescriptor(fd),
  };
}

import { codeOfErrno, RtError } from "../base/errors.ts";
import { Interface } from "../native/abi.ts";
import { describeErrno, errnoName, native } from "../native/ffi.ts";

/** An interface of this host that leads outside, if anything is at its other end. */
export interface Uplink {
  name: string;
  index: number;
  mac: Uint8Array;
  isUp: boolean;
  /** It is up, and somebody is there. */
  hasLink: boolean;
}

const interfacesMax = 1024;
const ethernet = 1;
const [up, loopback, lowerUp] = [1, 8, 1 << 16];

/** Those of Ethernet, in the kernel's order. @throws RtError */
export function uplinks(): Uplink[] {
  const words = new Uint32Array((interfacesMax * Interface.bytes) / 4);
  const count = native().rt_interfaces(words, interfacesMax);
  if (count < 0) {
    const errno = errnoName(-count);
    throw new RtError(codeOfErrno(errno), `cannot list the interfaces: ${describeErrno(errno)}`);
  }
  const all = Array.from({ length: Math.min(count, interfacesMax) }, (_, index) => uplinkAt(words, index));
  return all.filter((each) => each !== undefined);
}

function uplinkAt(words: Uint32Array, at: number): Uplink | undefined {
  const { bytes, index, kind, flags, name, mac } = Interface;
  const view = new DataView(words.buffer, at * bytes, bytes);
  const bits = view.getUint32(flags, true);
  if (view.getUint32(kind, true) !== ethernet || (bits & loopback) !== 0) return undefined;
  const letters = new Uint8Array(words.buffer, at * bytes + name, mac - name);
  return {
    name: Buffer.from(letters).toString("latin1").replace(/\0.*$/s, ""),
    index: view.getUint32(index, true),
    mac: new Uint8Array(words.buffer, at * bytes + mac, 6).slice(),
    isUp: (bits & up) !== 0,
    hasLink: (bits & up) !== 0 && (bits & lowerUp) !== 0,
  };
}

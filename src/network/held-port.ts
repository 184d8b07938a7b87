import { codeOfErrno, RtError } from "../base/errors.ts";
import { PortEntry, PortsHeader, PortsRequest, port_entries_max } from "../native/abi.ts";
import { cstring, describeErrno, errnoName, native } from "../native/ffi.ts";
import { closeDescriptor } from "../native/system.ts";
import { type Address, addressBytes } from "./address.ts";

/** A socket that holds a port of the host, on its way to the monitor of the container that it leads to. */
export interface HeldPort {
  protocol: number;
  address: Address;
  port: number;
  socket: number;
  /** Where the monitor hands on what comes; undefined: nothing comes, as the firewall leads it there. */
  target: { address: Address; port: number } | undefined;
}

/** Protocols by IPPROTO_* */
export const protocolNumbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** @param open lets in what comes @returns its descriptor, or the errno ("EADDRINUSE") */
export function holdPort(protocol: number, address: Address, port: number, open: boolean): number | string {
  const bytes = new Uint8Array(addressBytes(address));
  const result = native().rt_hold_port(protocol, bytes, bytes.length, port, open ? 1 : 0);
  return result >= 0 ? result : errnoName(-result);
}

export function closeHeld(ports: readonly HeldPort[]): void {
  for (const { socket } of ports) closeDescriptor(socket);
}

/** The way of ports to a monitor that is being started. */
export class Handover implements Disposable {
  #ends: number[];
  #ports: HeldPort[];

  /** @param ports ours to close from here on */
  constructor(ports: HeldPort[]) {
    const pair = new Int32Array(2);
    const result = native().rt_packet_pair(pair);
    if (result < 0) {
      closeHeld(ports);
      throw failed("cannot make a socket", result);
    }
    this.#ends = [...pair];
    this.#ports = ports;
  }

  /** For the monitor. */
  get descriptor(): number {
    return this.#ends[1]!;
  }

  /** It has got that. @throws RtError: it has gone */
  send(): void {
    // Were it ours too, nobody would see that the monitor has gone.
    closeDescriptor(this.#ends.pop()!);
    sendPorts(this.#ends[0]!, this.#ports);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends.splice(0)) closeDescriptor(end);
    closeHeld(this.#ports.splice(0));
  }
}

function sendPorts(socket: number, ports: readonly HeldPort[]): void {
  for (const some of portions(ports)) {
    const [message, descriptors] = [encode(PortsRequest.hold, some), socketsOf(some)];
    const result = native().rt_send_ports(socket, message, message.length, descriptors, some.length);
    if (result < 0) throw failed("cannot hand ports to the monitor", result);
  }
}

/** The monitor whose socket is at `path` holds these from here on. @throws RtError */
export function handPorts(path: string, ports: readonly HeldPort[]): void {
  for (const some of portions(ports)) ask(path, encode(PortsRequest.hold, some), socketsOf(some));
}

/** The monitor lets go of them. @throws RtError */
export function releasePorts(path: string, ports: readonly Omit<HeldPort, "socket" | "target">[]): void {
  for (const some of portions(ports)) ask(path, encode(PortsRequest.release, some), new Int32Array(1), 0);
}

/** What comes to their sockets is handed on to their targets from here on; without one it is not. @throws RtError */
export function repointPorts(path: string, ports: readonly Omit<HeldPort, "socket">[]): void {
  for (const some of portions(ports)) ask(path, encode(PortsRequest.repoint, some), new Int32Array(1), 0);
}

function ask(path: string, message: Buffer, descriptors: Int32Array, count = descriptors.length): void {
  const result = native().rt_ask_ports(cstring(path), message, message.length, descriptors, count);
  if (result < 0) throw failed("the container's monitor does not take ports", result);
}

function portions<T>(ports: readonly T[]): T[][] {
  const count = Math.ceil(ports.length / port_entries_max);
  return Array.from({ length: count }, (_, index) =>
    ports.slice(index * port_entries_max, (index + 1) * port_entries_max),
  );
}

function socketsOf(ports: readonly HeldPort[]): Int32Array {
  return Int32Array.from(ports, ({ socket }) => socket);
}

function encode(
  request: number,
  ports: readonly (Omit<HeldPort, "socket" | "target"> & Partial<HeldPort>)[],
): Buffer {
  const message = Buffer.alloc(PortsHeader.bytes + ports.length * PortEntry.bytes);
  message.writeUInt32LE(request, PortsHeader.request);
  message.writeUInt32LE(ports.length, PortsHeader.count);
  for (const [index, { protocol, address, port, target }] of ports.entries()) {
    const at = PortsHeader.bytes + index * PortEntry.bytes;
    message.writeUInt32LE(protocol, at + PortEntry.protocol);
    message.writeUInt32LE(address.family, at + PortEntry.family);
    message.writeUInt32LE(port, at + PortEntry.port);
    message.set(addressBytes(address), at + PortEntry.address);
    if (!target) continue;
    message.writeUInt32LE(target.address.family, at + PortEntry.target_family);
    message.writeUInt32LE(target.port, at + PortEntry.target_port);
    message.set(addressBytes(target.address), at + PortEntry.target);
  }
  return message;
}

function failed(what: string, result: number): RtError {
  const errno = errnoName(-result);
  return new RtError(codeOfErrno(errno), `${what}: ${describeErrno(errno)}`);
}

/**
 * A unix datagram socket, as systemd's journal and a syslog daemon listen on: neither Bun nor Node has one.
 *
 *   using server = datagramServer("/dev/shm/x/log");
 *   await until("it comes", () => server.received().length > 0);
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { rmSync } from "node:fs";

export interface DatagramServer extends Disposable {
  /** All that has come so far, bytes as characters of the same number. */
  received(): string[];
}

const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40];
const pathOffset = 2;

export function datagramServer(path: string): DatagramServer {
  const { symbols, close } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
    recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const fd = symbols.socket(AF_UNIX, SOCK_DGRAM, 0);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, pathOffset);
  if (fd < 0 || symbols.bind(fd, ptr(address), address.length) !== 0) throw new Error(`cannot bind ${path}`);
  const all: string[] = [];
  const buffer = Buffer.alloc(1 << 18);
  return {
    received() {
      for (;;) {
        const length = Number(symbols.recv(fd, ptr(buffer), buffer.length, MSG_DONTWAIT));
        if (length < 0) return all;
        all.push(buffer.toString("latin1", 0, length));
      }
    },
    [Symbol.dispose]() {
      symbols.close(fd);
      close();
      rmSync(path, { force: true });
    },
  };
}

/**
 * A TCP server that takes one connection, and after `close` no other: its queue is full, so that the kernel drops who comes.
 * Neither Bun nor Node leaves a connection in the queue.
 *
 *   using tarpit = tarpitServer();
 *   await until("it comes", () => tarpit.heard());
 *   tarpit.close();   // with a reset
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

export interface Tarpit extends Disposable {
  readonly port: number;
  /** Whether anything has come, which is taken. */
  heard(): boolean;
  /** Fills the queue, and ends the connection. */
  close(): void;
}

const [AF_INET, SOCK_STREAM, SOCK_NONBLOCK, MSG_DONTWAIT] = [2, 1, 0o4000, 0x40];
const [SOL_SOCKET, SO_LINGER] = [1, 13];
const addressBytes = 16;
/** More than a queue of length 0 holds. */
const queued = 3;

export function tarpitServer(): Tarpit {
  const { i32, u32, u64, i64, ptr: pointer } = FFIType;
  const { symbols: libc, close: unload } = dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, pointer, u32], returns: i32 },
    listen: { args: [i32, i32], returns: i32 },
    getsockname: { args: [i32, pointer, pointer], returns: i32 },
    accept: { args: [i32, pointer, pointer], returns: i32 },
    connect: { args: [i32, pointer, u32], returns: i32 },
    setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
    recv: { args: [i32, pointer, u64, i32], returns: i64 },
    close: { args: [i32], returns: i32 },
  });
  const server = libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const address = Buffer.alloc(addressBytes);
  address.writeUInt16LE(AF_INET, 0);
  address.set([127, 0, 0, 1], 4);
  const length = new Uint32Array([addressBytes]);
  if (
    libc.bind(server, ptr(address), addressBytes) !== 0 ||
    libc.listen(server, 0) !== 0 ||
    libc.getsockname(server, ptr(address), ptr(length)) !== 0
  )
    throw new Error("cannot listen");
  const open = new Set([server]);
  let connection = -1;
  const buffer = Buffer.alloc(4096);
  return {
    port: address.readUInt16BE(2),
    heard() {
      if (connection < 0) connection = libc.accept(server, null, null);
      if (connection >= 0) open.add(connection);
      return connection >= 0 && Number(libc.recv(connection, ptr(buffer), buffer.length, MSG_DONTWAIT)) > 0;
    },
    close() {
      for (let n = 0; n < queued; n++) {
        const other = libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        libc.connect(other, ptr(address), addressBytes);
        open.add(other);
      }
      libc.setsockopt(connection, SOL_SOCKET, SO_LINGER, ptr(new Int32Array([1, 0])), 8);
      libc.close(connection);
      open.delete(connection);
    },
    [Symbol.dispose]() {
      for (const fd of open) libc.close(fd);
      unload();
    },
  };
}

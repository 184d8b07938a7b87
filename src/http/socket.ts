import type { Socket, TCPSocketConnectOptions, UnixSocketOptions } from "bun";
import { Duplex } from "./duplex.ts";

/** What Bun calls of a socket, for both sides: each socket's wire is its `data`. */
export const duplexHandlers = {
  binaryType: "buffer" as const,
  data: (socket: Socket<Duplex>, bytes: Uint8Array) => socket.data.received(bytes),
  end: (socket: Socket<Duplex>) => socket.data.ended(),
  drain: (socket: Socket<Duplex>) => socket.data.drained(),
  close: (socket: Socket<Duplex>) => socket.data.closed(),
  error: (socket: Socket<Duplex>) => socket.data.closed(),
  timeout: () => {},
};

/** A socket, from its opening on. */
export function duplexOf(socket: Socket<Duplex>): Duplex {
  let isPaused = false;
  const wire = new Duplex({
    write: (bytes) => socket.write(bytes),
    // Not while it is read: an end that has come with these bytes would be told to nobody, now or later.
    pause() {
      isPaused = true;
      setImmediate(() => {
        if (isPaused) socket.pause();
      });
    },
    resume() {
      isPaused = false;
      socket.resume();
    },
    // Of a socket that both sides may end only our half is.
    end: () => void socket.shutdown(),
    terminate: () => void socket.terminate(),
  });
  socket.data = wire;
  return wire;
}

export type ConnectTo =
  | { unix: string }
  | { hostname: string; port: number; tls?: TCPSocketConnectOptions<Duplex>["tls"] }
  | { fd: number };

/** @throws an error with an errno, or one of TLS */
export async function connectDuplex(to: ConnectTo): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const isSecure = "tls" in to && to.tls !== undefined;
  const socket = {
    ...duplexHandlers,
    open(socket: Socket<Duplex>) {
      const wire = duplexOf(socket);
      if (!isSecure) resolve(wire);
    },
    handshake(socket: Socket<Duplex>, isGood: boolean, error: Error | null) {
      // Of a certificate that nobody wants verified there is an error, too.
      if (isGood) return resolve(socket.data);
      // Before it is closed, which would be the reason.
      reject(error ?? new Error("the TLS handshake failed"));
      socket.terminate();
    },
    connectError: (_socket: unknown, error: Error) => reject(error),
    close(socket: Socket<Duplex>) {
      socket.data?.closed();
      reject(new Error("the connection was closed before it was made"));
    },
  };
  const options = { ...to, socket, allowHalfOpen: true } as unknown as UnixSocketOptions<Duplex>;
  Bun.connect(options).catch(reject);
  return promise;
}

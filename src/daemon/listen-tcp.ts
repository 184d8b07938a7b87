import { readFileSync } from "node:fs";
import type { Socket } from "bun";
import { asSystemError, RtError, withCause } from "../base/errors.ts";
import type { Duplex } from "../http/duplex.ts";
import { duplexHandlers, duplexOf } from "../http/socket.ts";
import { addressText, isLoopbackHost, type ListenPlace } from "./address.ts";
import type { Accept, Listener } from "./listen.ts";

/** Files, PEM, as docker's daemon has them. */
export interface TlsFiles {
  cert: string;
  key: string;
  /** Whose certificates clients must have; undefined: any client may. */
  clientAuthority: string | undefined;
}

/** A handshake that does not come to its end keeps nobody. */
const handshakeWithin_ms = 10_000;

/**
 * A port. Whoever reaches the API is root on this host: for other machines only with certificates of clients.
 * @throws RtError
 */
export function listenTcp(
  place: Extract<ListenPlace, { kind: "tcp" }>,
  tls: TlsFiles | undefined,
  accept: Accept,
): Listener {
  const address = addressText(place);
  if (!isLoopbackHost(place.host) && tls?.clientAuthority === undefined)
    throw new RtError(
      "invalid-argument",
      `cannot listen on ${address}: whoever connects is root on this host: use --tlsverify with --tlscacert, --tlscert and ` +
        "--tlskey, or tcp://127.0.0.1:PORT, or ssh",
    );
  try {
    const { host, port } = place;
    const listener = Bun.listen<Duplex>({
      hostname: host,
      port,
      reusePort: false,
      allowHalfOpen: true,
      ...(tls && { tls: tlsOptions(tls) }),
      socket: {
        ...duplexHandlers,
        ...(tls ? securely(accept, tls.clientAuthority !== undefined) : plainly(accept)),
      },
    } as unknown as Parameters<typeof Bun.listen<Duplex>>[0]);
    return {
      address: addressText({ ...place, port: (listener as unknown as { port: number }).port }),
      stop: () => listener.stop(),
    };
  } catch (error) {
    // Bun says "Failed to listen" of each.
    const why = reasons[asSystemError(error)?.code ?? ""];
    if (why === undefined) throw withCause(`cannot listen on ${address}`, error);
    throw new RtError("unavailable", `cannot listen on ${address}: ${why}`, { cause: error });
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "somebody listens there already: stop him, or choose another port",
  EADDRNOTAVAIL: "this host has no such address",
  EACCES: "a port below 1024 is root's",
};

function plainly(accept: Accept): object {
  return { open: (socket: Socket<Duplex>) => accept(duplexOf(socket)) };
}

/** Nobody is listened to before he has shown who he is. */
function securely(accept: Accept, isVerified: boolean): object {
  const waiting = new WeakMap<Socket<Duplex>, ReturnType<typeof setTimeout>>();
  return {
    open(socket: Socket<Duplex>) {
      const wire = duplexOf(socket);
      waiting.set(
        socket,
        setTimeout(() => wire.destroy(), handshakeWithin_ms),
      );
    },
    handshake(socket: Socket<Duplex>, isGood: boolean, error: Error | null) {
      clearTimeout(waiting.get(socket));
      if (isGood && (!isVerified || (!error && socket.authorized))) accept(socket.data);
      else socket.data.destroy();
    },
  };
}

function tlsOptions({ cert, key, clientAuthority }: TlsFiles): object {
  return {
    cert: pemOf("--tlscert", cert),
    key: pemOf("--tlskey", key),
    minVersion: 0x0303,
    ...(clientAuthority !== undefined && {
      ca: pemOf("--tlscacert", clientAuthority),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  };
}

function pemOf(flag: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw withCause(`cannot read ${flag}`, error);
  }
  if (!text.includes("-----BEGIN "))
    throw new RtError("invalid-argument", `${flag} ${file} has nothing in PEM`);
  return text;
}

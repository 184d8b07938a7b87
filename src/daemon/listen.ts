import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { RtError, withCause } from "../base/errors.ts";
import type { Duplex } from "../http/duplex.ts";
import { connectDuplex, duplexHandlers, duplexOf } from "../http/socket.ts";

export interface Listener {
  /** As clients name it: "unix:///run/rt/rt.sock". */
  address: string;
  /** No more connections; those that are there go on. */
  stop(): void;
}

/** A socket in the file system, which only its owner and group may use. A dead one in its place is replaced. @throws RtError */
export async function listenUnix(path: string, accept: (wire: Duplex) => void): Promise<Listener> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await removeDead(path);
  const before = process.umask(0o117);
  try {
    const socket = {
      ...duplexHandlers,
      open: (socket: Parameters<typeof duplexOf>[0]) => accept(duplexOf(socket)),
    };
    const listener = Bun.listen<Duplex>({ unix: path, socket, allowHalfOpen: true } as Parameters<
      typeof Bun.listen<Duplex>
    >[0]);
    chmodSync(path, 0o660);
    return {
      address: `unix://${path}`,
      stop() {
        listener.stop();
        rmSync(path, { force: true });
      },
    };
  } catch (error) {
    throw withCause(`cannot listen on unix://${path}`, error);
  } finally {
    process.umask(before);
  }
}

/** @throws RtError conflict: somebody answers there */
async function removeDead(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const wire = await connectDuplex({ unix: path }).catch(() => undefined);
  wire?.destroy();
  if (wire) throw new RtError("conflict", `somebody listens on unix://${path} already`);
  rmSync(path);
}

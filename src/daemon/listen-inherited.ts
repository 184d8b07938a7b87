import { closeSync } from "node:fs";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { connectDuplex } from "../http/socket.ts";
import type { ListenPlace } from "./address.ts";
import { connectionsOf } from "./descriptors.ts";
import type { Accept, Listener } from "./listen.ts";

/** sd_listen_fds(3) */
const first = 3;
const countMax = 64;

/** What systemd hands over, by its name or its number; each can be had once. */
export class InheritedSockets {
  readonly #left: Map<number, string>;

  /** @throws RtError invalid-argument: what LISTEN_FDS says is no number */
  constructor(env: NodeJS.ProcessEnv, pid = process.pid) {
    const count = Number(env.LISTEN_PID) === pid ? Number(env.LISTEN_FDS) : 0;
    if (!Number.isInteger(count) || count < 0 || count > countMax)
      throw new RtError(
        "invalid-argument",
        `LISTEN_FDS is ${JSON.stringify(env.LISTEN_FDS)}: want at most ${countMax}`,
      );
    const names = (env.LISTEN_FDNAMES ?? "").split(":");
    this.#left = new Map(
      Array.from({ length: count }, (_, index) => [first + index, names[index] || "unknown"]),
    );
  }

  /** @throws RtError not-found: there is none (left) */
  take({ which }: Extract<ListenPlace, { kind: "fd" }>): number[] {
    const chosen = [...this.#left]
      .filter(([fd, name]) => which === "" || which === String(fd) || which === name)
      .map(([fd]) => fd);
    if (chosen.length === 0)
      throw new RtError(
        "not-found",
        `cannot listen on fd://${which}: systemd has handed over no such socket: start it by a .socket unit`,
      );
    for (const fd of chosen) this.#left.delete(fd);
    return chosen;
  }
}

/** The listening socket `fd` of somebody else's, who keeps it: it is there before and after us. @throws RtError: it is a port */
export async function listenInherited(fd: number, accept: Accept): Promise<Listener> {
  const address = `fd://${fd}`;
  try {
    const connections = await connectDuplex({ fd: connectionsOf(fd) });
    void (async () => {
      let rest = Buffer.alloc(0);
      for (let piece = await connections.read(); piece; piece = await connections.read()) {
        rest = Buffer.concat([rest, piece]);
        for (; rest.length >= 4; rest = rest.subarray(4)) void take(rest.readInt32LE(), accept);
      }
    })();
    return { address, stop: () => connections.destroy() };
  } catch (error) {
    throw withCause(`cannot listen on ${address}`, error);
  }
}

async function take(fd: number, accept: Accept): Promise<void> {
  try {
    accept(await connectDuplex({ fd }));
  } catch {
    // Its client has gone in the meantime.
    try {
      closeSync(fd);
    } catch (error) {
      // Whoever could not take it over has closed it.
      if (!isErrno(error, "EBADF")) throw error;
    }
  }
}

import { RtError } from "../../base/errors.ts";
import { writeAll } from "../../content/write-all.ts";
import { Channel, type PeerPipe, type PeerRole } from "../../peer/channel.ts";
import { patienceOf } from "../../peer/ssh.ts";
import type { Host } from "../host.ts";

/** The caller's stdin and stdout as a way to another rt: what `ssh HOST rt system receive` is for its other end. */
export async function callerChannel(host: Host, role: PeerRole): Promise<Channel> {
  const patience_ms = patienceOf(await host.config());
  return Channel.open(pipeOf(host), { who: "", role, patience_ms, signal: host.session.abort });
}

function pipeOf({ session: { stdio } }: Host): PeerPipe {
  const shared = { ending: async () => undefined, close: async () => {} };
  if (stdio.kind === "descriptors") {
    const { stdin, stdout } = stdio;
    return { ...shared, input: Bun.file(stdin).stream(), write: (bytes) => written(stdout, bytes) };
  }
  return {
    ...shared,
    input: stdio.stdin ?? nothing(),
    async write(bytes) {
      await stdio.output("stdout", bytes);
      return true;
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function written(fd: number, bytes: Uint8Array): Promise<boolean> {
  try {
    await writeAll(fd, bytes, null);
    return true;
  } catch {
    return false; // Nobody is there to be told, and what comes from the other side says why.
  }
}

/**
 * `act`, whose failure is told to the other side, where there is somebody to tell.
 * @returns the exit status
 * @throws what failed, when nobody could be told
 */
export async function tellingFailure(channel: Channel, act: () => Promise<void>): Promise<number> {
  try {
    await act();
    await channel.close(true);
    return 0;
  } catch (error) {
    const told = await Promise.race([channel.fail(error), Bun.sleep(tellPatience_ms).then(() => false)]);
    await channel.close(false);
    if (!told) throw error;
    return error instanceof RtError ? error.exitCode : 125;
  }
}

const tellPatience_ms = 2000;

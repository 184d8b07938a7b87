import type { CallerEnvironment } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import { rootlessCaller } from "../base/rootless.ts";
import { Duplex } from "../http/duplex.ts";
import { ErrorLines } from "../peer/child.ts";
import { explainSsh, sshProgram, sshWords } from "../peer/ssh.ts";
import type { SshAddress } from "../reference/ssh-address.ts";

export interface SshDialing {
  env: Readonly<Record<string, string | undefined>>;
  caller: CallerEnvironment;
  warn: (line: string) => void;
}

const connectWithin_ms = 30_000;
const endPatience_ms = 500;

/**
 * A connection to the engine of another host, through the user's own ssh: what it writes and reads are the API's bytes.
 *
 *   here    ssh … HOST sh -c '<whichever is there> system dial-stdio'
 *   there   rt: its daemon's socket, or without a daemon the API itself; docker: its daemon's socket
 */
export async function dialSsh(
  address: SshAddress,
  socket: string | undefined,
  options: SshDialing,
): Promise<Duplex> {
  if (rootlessCaller() !== undefined)
    throw new RtError("unsupported", "ssh cannot be called from within your user namespace");
  const env = options.caller.all();
  const argv = [
    ...heedless,
    sshProgram(options.env, env),
    ...sshWords(address, connectWithin_ms),
    dialStdio(address.program, socket),
  ];
  return childDuplex(argv, env, address, options.warn);
}

/**
 * Ctrl-C reaches all that is in front at a terminal: what it is to end is for us to say, and a program may take it. ssh passes over
 * what was passed over before it, but for its own questions.
 */
const heedless = ["/bin/sh", "-c", 'trap "" INT QUIT; exec "$0" "$@"'];

/** All of it are fixed words and paths of plain characters: the remote shell reads it, whichever that is. */
function dialStdio(program: string, socket: string | undefined): string {
  const at = socket === undefined ? "" : `-H unix://${socket} `;
  const dial = `${at}system dial-stdio`;
  if (program !== "rt") return `exec ${program} ${dial}`;
  return `sh -c 'if command -v rt >/dev/null 2>&1; then exec rt ${dial}; else exec docker ${dial}; fi'`;
}

function childDuplex(
  argv: string[],
  env: Record<string, string>,
  { host, program }: SshAddress,
  warn: (line: string) => void,
): Duplex {
  const child = Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const errors = new ErrorLines(child.stderr, (line) => warn(`${host}: ${line}`));
  let [isFull, isPaused] = [false, false];
  let goOn = () => {};
  const duplex = new Duplex({
    write(bytes) {
      if (isFull) return 0;
      const taken = Promise.all([child.stdin.write(bytes), child.stdin.flush()]);
      isFull = true;
      taken
        .catch(() => {}) // EPIPE: how the child ends says more
        .finally(() => {
          isFull = false;
          duplex.drained();
        });
      return bytes.length;
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
      goOn();
    },
    end: () => void Promise.resolve(child.stdin.end()).catch(() => {}),
    terminate: () => child.kill("SIGTERM"),
  });
  const reading = async () => {
    for await (const piece of child.stdout) {
      duplex.received(piece);
      if (!isPaused) continue;
      await new Promise<void>((resolve) => {
        goOn = resolve;
        if (duplex.gone.aborted) resolve();
      });
    }
    duplex.ended();
    await Promise.race([Promise.all([child.exited, errors.end]), Bun.sleep(endPatience_ms)]);
    const status = child.exitCode;
    const failure =
      status === 0 ? undefined : explainSsh(host, program, status ?? undefined, errors.takeLast());
    duplex.closed(failure);
  };
  void reading();
  return duplex;
}

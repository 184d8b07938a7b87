import type { Config } from "../base/config.ts";
import { type CallerEnvironment, environmentOf } from "../base/environment.ts";
import { RtError } from "../base/errors.ts";
import { rootlessCaller } from "../base/rootless.ts";
import { shown } from "../oci/json.ts";
import type { SshAddress } from "../reference/ssh-address.ts";
import { Channel, type PeerRole } from "./channel.ts";
import { openChild } from "./child.ts";

export interface SshOptions {
  config: Config;
  env?: Readonly<Record<string, string | undefined>>;
  /** The environment of ssh; `env` unless it is given. */
  caller?: CallerEnvironment;
  warn: (line: string) => void;
  signal?: AbortSignal | undefined;
}

const usualPatience_ms = 30_000;
/** Until the other side says hello somebody may have to type a password; sshd gives him two minutes (LoginGraceTime). */
const helloPatienceFactor = 5;

export function patienceOf({ registryTimeout_ms }: Config): number {
  return registryTimeout_ms ?? usualPatience_ms;
}

/**
 * The rt of another host, called by ssh: the user's own, with all of his configuration, keys and questions, which it asks at
 * /dev/tty. `RT_SSH` names another program to take ssh's place. Nothing but fixed words and a checked path reaches the remote
 * shell; an image's name travels in the conversation.
 *
 * @param role ours
 */
export async function openSsh(address: SshAddress, role: PeerRole, options: SshOptions): Promise<Channel> {
  // As root of his namespace an ordinary user has root's home there, and the host's configuration belongs to nobody.
  if (rootlessCaller() !== undefined) {
    const text = "ssh cannot be called from within your user namespace: use rt push or rt pull by themselves";
    throw new RtError("unsupported", text);
  }
  const env = (options.caller ?? environmentOf(options.env ?? process.env)).all();
  const program = sshProgram(options.env ?? {}, env);
  const { host, program: remote } = address;
  const patience_ms = patienceOf(options.config);
  const who = `${host}: `;
  const pipe = openChild({
    argv: [
      program,
      ...sshWords(address, patience_ms),
      remote,
      "system",
      role === "give" ? "receive" : "send",
    ],
    env,
    who,
    warn: options.warn,
    explain: (status, line) => explainSsh(host, remote, status, line),
  });
  const helloPatience_ms = helloPatienceFactor * patience_ms;
  return Channel.open(pipe, { who, role, patience_ms, helloPatience_ms, signal: options.signal });
}

/** @param env what rt obeys @param caller's environment, with his PATH @throws RtError not-found */
export function sshProgram(
  env: Readonly<Record<string, string | undefined>>,
  caller: Readonly<Record<string, string | undefined>>,
): string {
  const wanted = env.RT_SSH || "ssh";
  const program = wanted.startsWith("/")
    ? wanted
    : Bun.which(wanted, { PATH: absolutePath(caller.PATH ?? "") });
  if (program !== null) return program;
  throw new RtError("not-found", `${shown(wanted)} is not in PATH: ssh:// is spoken through it`);
}

/** Without what depends on where we stand: the directory of somebody else's project may not bring a program. */
function absolutePath(path: string): string {
  const directories = path.split(":").filter((directory) => directory.startsWith("/"));
  return directories.join(":");
}

/** ssh(1): no terminal there, and nothing behind "--" is an option. */
export function sshWords({ user, host, port }: SshAddress, patience_ms: number): string[] {
  return [
    ...["-T", "-o", `ConnectTimeout=${Math.ceil(patience_ms / 1000)}`],
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", `${port}`]),
    ...["--", host],
  ];
}

export function explainSsh(host: string, remote: string, status: number | undefined, line: string): RtError {
  if (status === 127) {
    const text = `${host}: there is no ${remote}: install rt in that user's PATH, or say where it is (ssh://${host}/…?rt=/path/to/rt)`;
    return new RtError("not-found", text);
  }
  if (status === 126) return new RtError("forbidden", `${host}: ${line || `${remote} may not be executed`}`);
  if (status === 255) {
    const isRefusal = /permission denied|host key verification|authentication/i.test(line);
    return new RtError(
      isRefusal ? "unauthorized" : "unavailable",
      `${host}: ${line || "ssh cannot connect"}`,
    );
  }
  const said = line.replace(/^rt: /, "");
  return new RtError("unavailable", `${host}: ${said || "the connection broke off"}`);
}

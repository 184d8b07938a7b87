import { asSystemError, RtError } from "../base/errors.ts";
import type { Duplex } from "../http/duplex.ts";
import { connectDuplex } from "../http/socket.ts";
import { type EngineAddress, engineAddressText } from "./address.ts";
import { dialSsh, type SshDialing } from "./ssh.ts";
import type { ClientTls } from "./tls.ts";

/** One more connection to an engine. @throws RtError unavailable: nobody answers, and why */
export type Dial = () => Promise<Duplex>;

export interface DialOptions extends SshDialing {
  tls?: ClientTls | undefined;
}

export function dialer(address: EngineAddress, options: DialOptions): Dial {
  switch (address.kind) {
    case "unix":
      return () => connected(address, connectDuplex({ unix: address.path }));
    case "tcp": {
      const { host: hostname, port } = address;
      const tls = options.tls && tlsOptions(hostname, options.tls);
      return () => connected(address, connectDuplex({ hostname, port, ...(tls && { tls }) }));
    }
    case "ssh":
      return () => dialSsh(address.ssh, address.socket, options);
  }
}

async function connected(address: EngineAddress, connecting: Promise<Duplex>): Promise<Duplex> {
  try {
    return await connecting;
  } catch (error) {
    throw unreachable(address, error);
  }
}

/** Docker's words, which scripts look for, and the reason. @param error of a connection that is none */
export function unreachable(address: EngineAddress, error: unknown): RtError {
  const [where, code] = [engineAddressText(address), asSystemError(error)?.code];
  if (code === "EACCES" || code === "EPERM") {
    const whose = "it is root's, or a group's that you are not in";
    const text = `permission denied while trying to connect to the Docker daemon socket at ${where}: ${whose}`;
    return new RtError("forbidden", text, { cause: error, exitCode: 1 });
  }
  const why = (code && reasons[code]) ?? (error instanceof Error ? error.message : String(error));
  const text = `Cannot connect to the Docker daemon at ${where}. Is the docker daemon running? (${why})`;
  return new RtError("unavailable", text, { cause: error, exitCode: 1 });
}

/** Bun says "Failed to connect" of each. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such socket",
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
};

function tlsOptions(hostname: string, { ca, cert, key, isVerified }: ClientTls) {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    serverName: hostname,
    rejectUnauthorized: isVerified,
  };
}

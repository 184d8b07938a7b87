import { RtError } from "../base/errors.ts";
import { quote } from "../base/invalid.ts";
import { parseSshAddress, type SshAddress } from "../reference/ssh-address.ts";

/** Where another engine is. */
export type EngineAddress =
  | { kind: "unix"; path: string }
  | { kind: "tcp"; host: string; port: number }
  /** @param socket on that host; undefined: the usual one there */
  | { kind: "ssh"; ssh: SshAddress; socket: string | undefined };

/** The ports of Docker, without and with TLS. */
const plainPort = 2375;
const tlsPort = 2376;

/** What a remote shell reads as it is. */
const plainPath = /^\/[A-Za-z0-9/._+@,-]{1,1000}$/;

/**
 * "unix:///run/rt/rt.sock", "tcp://10.0.0.7:2376", "ssh://[USER@]HOST[:PORT][/SOCKET]"; what has no scheme is Docker's short form of
 * tcp, or a path.
 * @param isSecure of the default port
 * @throws RtError invalid-argument
 */
export function parseEngineAddress(text: string, isSecure: boolean): EngineAddress {
  const [, scheme = text.startsWith("/") ? "unix" : "tcp", rest = ""] =
    /^(?:([a-z]+):\/\/)?(.*)$/s.exec(text) ?? [];
  if (/[\0-\x20\x7f]/.test(rest)) throw wrong(text, "it has a space or a control character");
  if (scheme === "unix") {
    if (!rest.startsWith("/")) throw wrong(text, "want an absolute path, as unix:///run/rt/rt.sock");
    return { kind: "unix", path: rest };
  }
  if (scheme === "tcp" || scheme === "http" || scheme === "https") {
    const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:/[\]@?#]*)(?::([0-9]{1,5}))?\/?$/.exec(rest) ?? [];
    const number = port === undefined ? (isSecure ? tlsPort : plainPort) : Number(port);
    if (host === undefined || number < 1 || number > 65_535) throw wrong(text, "want tcp://HOST:PORT");
    return { kind: "tcp", host: host.replace(/^\[|\]$/g, "") || "127.0.0.1", port: number };
  }
  if (scheme === "ssh") {
    const { image, ...ssh } = parseSshAddress(rest);
    const socket = image === "" ? undefined : `/${image}`;
    if (socket !== undefined && !plainPath.test(socket))
      throw wrong(text, "the socket's path has odd characters");
    return { kind: "ssh", ssh: { ...ssh, image: "" }, socket };
  }
  throw wrong(text, "want unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST");
}

/** As people and Docker's clients write it. */
export function engineAddressText(address: EngineAddress): string {
  switch (address.kind) {
    case "unix":
      return `unix://${address.path}`;
    case "tcp":
      return `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    case "ssh": {
      const { user, host, port } = address.ssh;
      const place = host.includes(":") ? `[${host}]` : host;
      return `ssh://${user === undefined ? "" : `${user}@`}${place}${port === undefined ? "" : `:${port}`}${address.socket ?? ""}`;
    }
  }
}

function wrong(text: string, why: string): RtError {
  return new RtError("invalid-argument", `invalid address ${quote(text)} of an engine: ${why}`);
}

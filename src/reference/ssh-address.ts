import { RtError } from "../base/errors.ts";
import { quoted } from "../oci/json.ts";

/** Another host's rt, and an image there: `ssh://[USER@]HOST[:PORT][/IMAGE][?rt=PROGRAM]`. */
export interface SshAddress {
  user?: string;
  /** A name, or an IPv6 address without brackets. */
  host: string;
  port?: number;
  /** What is called there: "rt" unless a path was given. */
  program: string;
  /** Empty where none was given. */
  image: string;
}

const shape = /^(?:([^@/?]*)@)?(\[[^\]/?]*\]|[^@:/?]*)(?::([^/?]*))?(?:\/([^?]*))?(?:\?(.*))?$/s;
/** Nothing that ssh would take for an option, or that a shell on either side would act upon (ProxyCommand gets %h and %r). */
const userPattern = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}$/;
const hostPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/;
const addressPattern = /^[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?$/;
/** The remote shell reads it. */
const programPattern = /^\/[A-Za-z0-9/._+@,-]{1,1000}$/;

/** @param rest what follows "ssh://" @throws RtError invalid-argument */
export function parseSshAddress(rest: string): SshAddress {
  const [, user, bracketed = "", port, image = "", query] = shape.exec(rest) ?? [];
  const text = quoted(`ssh://${rest}`);
  if (user?.includes(":")) throw invalid("a password in an address can be read by everybody: leave it out");
  if (user !== undefined && !userPattern.test(user)) throw invalid(`${text} names no user before the @`);
  const isAddress = bracketed.startsWith("[");
  const host = isAddress ? bracketed.slice(1, -1) : bracketed;
  if (!(isAddress ? addressPattern : hostPattern).test(host))
    throw invalid(`${text} names no host: want ssh://[USER@]HOST[:PORT][/IMAGE]`);
  const number = port === undefined ? undefined : Number(/^[0-9]{1,5}$/.test(port) ? port : 0);
  if (number !== undefined && (number < 1 || number > 65_535))
    throw invalid(`port ${quoted(port ?? "")} of ${text} is not between 1 and 65535`);
  return {
    ...(user !== undefined && { user }),
    host,
    ...(number !== undefined && { port: number }),
    program: programIn(query, text),
    image,
  };
}

function programIn(query: string | undefined, text: string): string {
  if (query === undefined) return "rt";
  const program = query.startsWith("rt=") ? query.slice("rt=".length) : "";
  if (programPattern.test(program)) return program;
  throw invalid(
    `${text}: behind the ? want rt= and the absolute path of rt on that host, of plain characters`,
  );
}

function invalid(why: string): RtError {
  return new RtError("invalid-argument", why);
}

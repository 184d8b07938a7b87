import { RtError } from "../../base/errors.ts";
import { quoted } from "../../oci/json.ts";
import { defaultDomain, parse } from "../../reference/reference.ts";

const hubHosts = new Set(["registry-1.docker.io", "index.docker.io", "docker.io"]);

/**
 * Whose images they are: "docker.io" of https://registry-1.docker.io, else the host and port.
 * @throws RtError invalid-argument
 */
export function upstreamDomain(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (!isPlain || !/^https?:$/.test(url.protocol))
    throw new RtError("invalid-argument", `invalid --upstream ${quoted(text)}: want https://HOST[:PORT]`);
  const isLoopback = /^(localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname);
  if (url.protocol === "http:" && !isLoopback)
    throw new RtError(
      "invalid-argument",
      `--upstream ${quoted(text)} is plain http: only a registry of this machine may be asked that way`,
    );
  if (hubHosts.has(url.hostname)) return defaultDomain;
  // A host that is no domain to a reference would be taken for a part of a path.
  if (parse(`${url.host}/x`).domain === url.host) return url.host;
  throw new RtError("invalid-argument", `--upstream ${quoted(text)}: want a host with a dot or a port`);
}

import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { bareName, isLoopback } from "./address.ts";

/** The way to a host that does not go there directly. */
export interface HttpProxy {
  /** With its password. */
  url: string;
  /** "http://proxy:3128 (HTTPS_PROXY)": for messages, without a password. */
  name: string;
}

const variables = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/**
 * The proxies that the environment names: HTTPS_PROXY for https, HTTP_PROXY for http, ALL_PROXY for what has none, each also
 * in lower case, which comes first; and NO_PROXY, hosts that are asked directly. It is decided here rather than by fetch:
 * fetch passes over a proxy that it cannot understand, and would tell of a dead one as if the registry were.
 *
 * This machine itself is never asked through a proxy, as Go's programs have it: a proxy's localhost is another machine, and
 * a loopback registry may speak plain http, password and all.
 */
export class ProxySettings {
  readonly #values = new Map<string, { variable: string; value: string }>();

  constructor(env: Readonly<Record<string, string | undefined>>) {
    for (const name of variables) {
      const variable = env[name] ? name : name.toUpperCase();
      const value = env[variable]?.trim();
      if (value) this.#values.set(name, { variable, value });
    }
  }

  /** Undefined: directly. @throws invalid-argument | unsupported: a proxy that is none, named with its variable */
  for(url: URL): HttpProxy | undefined {
    if (isLoopback(url)) return undefined;
    const found = this.#values.get(`${url.protocol}_proxy`.replace(":", "")) ?? this.#values.get("all_proxy");
    if (!found || this.#isExcepted(url)) return undefined;
    return proxyIn(found.value, found.variable);
  }

  #isExcepted(url: URL): boolean {
    const list = this.#values.get("no_proxy")?.value ?? "";
    return list.split(",").some((entry) => covers(entry.trim().toLowerCase(), url));
  }
}

let own: ProxySettings | undefined;

/** Those of this process. They are taken out of its environment, where fetch would find them too. */
export function ownProxies(env: NodeJS.ProcessEnv = process.env): ProxySettings {
  if (own) return own;
  own = new ProxySettings(env);
  for (const name of variables) {
    delete env[name];
    delete env[name.toUpperCase()];
  }
  return own;
}

function proxyIn(value: string, variable: string): HttpProxy {
  // As curl and Go read it: without a scheme it is http.
  const text = /^[a-z0-9+.-]+:\/\//i.test(value) ? value : `http://${value}`;
  const bare = shown(text.replace(/\/\/.*@/s, "//"));
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname) {
    throw new RtError("invalid-argument", `the proxy of ${variable} is not an address: ${bare}`);
  }
  if (!/^https?:$/.test(url.protocol)) {
    throw new RtError("unsupported", `the proxy of ${variable} must be http:// or https://, and is ${bare}`);
  }
  return { url: url.href, name: `${url.origin} (${variable})` };
}

/** Go's rules: "*", a name (with all below it), ".name" (below it only), an address, a range; all but the last with a port. */
function covers(entry: string, url: URL): boolean {
  if (entry === "*") return true;
  const name = bareName(url.hostname);
  const range = /^([0-9a-f.:]+)\/([0-9]{1,3})$/.exec(entry);
  if (range) return inRange(name, range[1]!, Number(range[2]));
  const [, host = "", port] = /^(\[[^\]]*\]|[^:]*|[0-9a-f:]*:[0-9a-f:]*)(?::([0-9]+))?$/.exec(entry) ?? [];
  if (host === "" || (port && port !== (url.port || (url.protocol === "https:" ? "443" : "80"))))
    return false;
  const domain = bareName(host).replace(/^\*/, "");
  return domain.startsWith(".") ? name.endsWith(domain) : name === domain || name.endsWith(`.${domain}`);
}

function inRange(name: string, network: string, bits: number): boolean {
  const { BlockList, isIP } = process.getBuiltinModule("node:net");
  const family = isIP(network);
  if (family === 0 || isIP(name) !== family || bits > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, bits, kind);
  return list.check(name, kind);
}

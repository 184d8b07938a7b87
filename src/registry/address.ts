/**
 * Judgements about hosts, made on `URL.hostname`: the parser has by then turned 0x7f.1 and 2130706433 into 127.0.0.1,
 * so what is judged is what is dialled. Names are not looked up: only literal addresses can be recognised.
 */

export function isLoopback({ hostname }: URL): boolean {
  const name = bare(hostname);
  return name === "localhost" || /^127\./.test(mapped(name)) || name === "::1";
}

/** 169.254.0.0/16 (where clouds keep their credentials), fe80::/10, and the unspecified addresses. */
export function isLinkLocal({ hostname }: URL): boolean {
  const name = bare(hostname);
  return /^(169\.254|0)\./.test(mapped(name)) || /^fe[89ab][0-9a-f]:/.test(name) || name === "::";
}

/** Only of dotted IPv4: a DNS name that begins with "127." must not pass for loopback. */
function mapped(name: string): string {
  const six = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(name);
  if (six) {
    const [high, low] = [Number.parseInt(six[1]!, 16), Number.parseInt(six[2]!, 16)];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  return isIPv4(name) ? name : "";
}

function bare(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}

function isIPv4(name: string): boolean {
  return /^[0-9]+(\.[0-9]+){3}$/.test(name);
}

/** Docker Hub, under its several names, logs in at auth.docker.io. */
const hubSites = new Set(["docker.io", "docker.com", "dhi.io"]);

/**
 * Do two hosts plausibly have one owner? Equal, or under one domain that a person can register: the last two labels, or
 * three under endings such as co.uk. A guess in place of the public suffix list; it errs towards "no".
 */
export function sameSite(a: URL, b: URL): boolean {
  if (a.hostname === b.hostname || (isLoopback(a) && isLoopback(b))) return true;
  const site = siteOf(a);
  return site !== undefined && site === siteOf(b);
}

function siteOf(url: URL): string | undefined {
  const name = bare(url.hostname);
  if (isIPv4(name) || name.includes(":")) return undefined;
  const labels = name.split(".");
  if (labels.length < 2) return undefined;
  const [second, top] = labels.slice(-2) as [string, string];
  const shared = top.length === 2 && /^(com?|net?|org?|gov|go|edu?|ac|gob|nom|mil|info)$/.test(second);
  if (shared && labels.length < 3) return undefined;
  const site = labels.slice(shared ? -3 : -2).join(".");
  return hubSites.has(site) ? "docker.io" : site;
}

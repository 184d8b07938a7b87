/**
 * Judgements about hosts, made on `URL.hostname`: the parser has by then turned 0x7f.1 and 2130706433 into 127.0.0.1,
 * so what is judged is what is dialled. Names are not looked up: only literal addresses can be recognised.
 */

export function isLoopback({ hostname }: URL): boolean {
  const name = bareName(hostname);
  return name === "localhost" || /^127\./.test(mapped(name)) || name === "::1";
}

/** 169.254.0.0/16 (where clouds keep their credentials), fe80::/10, and the unspecified addresses. */
export function isLinkLocal({ hostname }: URL): boolean {
  const name = bareName(hostname);
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

/** Without an IPv6 address's brackets and a root's dot. */
export function bareName(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}

function isIPv4(name: string): boolean {
  return /^[0-9]+(\.[0-9]+){3}$/.test(name);
}

/** A port of a container that runs: one that it shows, or that one of the host leads to. */
export interface PortFacts {
  /** "tcp", "udp", "sctp" */
  protocol: string;
  port: number;
  host: { address: string; port: number } | undefined;
}

/** `NetworkSettings.Ports`; null of what is only shown. */
export type PortMap = Record<string, { HostIp: string; HostPort: string }[] | null>;

export function portMap(ports: readonly PortFacts[]): PortMap {
  const map: PortMap = {};
  for (const { protocol, port, host } of ports) {
    const key = `${port}/${protocol}`;
    if (host) map[key] = [...(map[key] ?? []), { HostIp: host.address, HostPort: String(host.port) }];
    else map[key] ??= null;
  }
  return map;
}

/** An element of `Ports` in GET /containers/json. */
export interface PortElement {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}

export function portElement({ protocol, port, host }: PortFacts): PortElement {
  if (!host) return { PrivatePort: port, Type: protocol };
  return { IP: host.address, PrivatePort: port, PublicPort: host.port, Type: protocol };
}

export function portFacts({ IP, PrivatePort, PublicPort, Type }: PortElement): PortFacts {
  const host = IP !== undefined && PublicPort !== undefined ? { address: IP, port: PublicPort } : undefined;
  return { protocol: Type, port: PrivatePort, host };
}

/** "0.0.0.0:8080", "[::]:8080" */
export function hostPlace({ address, port }: { address: string; port: number | string }): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/**
 * As Docker shows them in a list: "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp". Ports that follow each other are one range where
 * those of the host are the same numbers, or where there are none; what leads to another number comes last.
 */
export function listPorts(ports: readonly PortFacts[]): string {
  const sorted = ports.toSorted(
    (a, b) =>
      a.port - b.port ||
      compare(a.host?.address ?? "", b.host?.address ?? "") ||
      (a.host?.port ?? 0) - (b.host?.port ?? 0) ||
      compare(a.protocol, b.protocol),
  );
  const closed: string[] = [];
  const open = new Map<string, Range>();
  const others: string[] = [];
  for (const { protocol, port, host } of sorted) {
    if (host && host.port !== port) {
      others.push(`${hostPlace(host)}->${port}/${protocol}`);
      continue;
    }
    const key = `${host?.address ?? ""}/${protocol}`;
    const range = open.get(key);
    if (range?.last === port - 1) {
      range.last = port;
    } else {
      if (range) closed.push(rangeText(range));
      open.set(key, { address: host?.address, protocol, first: port, last: port });
    }
  }
  return [...closed, ...[...open.values()].map(rangeText), ...others].join(", ");
}

interface Range {
  address: string | undefined;
  protocol: string;
  first: number;
  last: number;
}

function rangeText({ address, protocol, first, last }: Range): string {
  const numbers = first === last ? String(first) : `${first}-${last}`;
  const own = `${numbers}/${protocol}`;
  return address === undefined ? own : `${hostPlace({ address, port: numbers })}->${own}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

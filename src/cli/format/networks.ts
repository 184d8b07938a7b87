import type { NetworkDocument } from "../../docker/network.ts";
import { goTime } from "./human.ts";
import type { Listing } from "./rows.ts";

const headings = {
  CreatedAt: "CREATED AT",
  Driver: "DRIVER",
  ID: "NETWORK ID",
  IPv4: "IPV4",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Label: (key: string) => key,
  Labels: "LABELS",
  Name: "NAME",
  Scope: "SCOPE",
};

export const networksFormat = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

/** Docker's fields of `network ls`. */
export function networkListing(list: readonly NetworkDocument[], truncate: boolean): Listing {
  return { headings, rows: list.map((network) => row(network, truncate)) };
}

function row(network: NetworkDocument, truncate: boolean): Record<string, unknown> {
  const { Created, Driver, EnableIPv4, EnableIPv6, Id, Internal, Labels, Name, Scope } = network;
  const sorted = Object.entries(Labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    CreatedAt: goTime(Created),
    Driver,
    ID: truncate ? Id.slice(0, 12) : Id,
    IPv4: String(EnableIPv4),
    IPv6: String(EnableIPv6),
    Internal: String(Internal),
    Label: (key: string) => (Object.hasOwn(Labels, key) ? Labels[key] : ""),
    Labels: sorted.map(([key, value]) => `${key}=${value}`).join(","),
    Name,
    Scope,
  };
}

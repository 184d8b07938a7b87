import { RtError } from "../base/errors.ts";
import { flag, listOf, mapOf, object, optional, type Shape, text } from "../base/shape.ts";
import { formatFilters } from "../docker/filters.ts";
import type { NetworkDocument } from "../docker/network.ts";
import { networkCreateDocument } from "../docker/network-create.ts";
import { endpointConfigDocument } from "../docker/networking-config.ts";
import { given } from "../docker/zero.ts";
import type { NetworkVerbs } from "../engine/engine.ts";
import { pathOf } from "./api.ts";
import { documentOf, type RemoteCaller, tell } from "./caller.ts";
import { onHostAlone } from "./stdio.ts";

const word = given(text, "");
const words = given(mapOf(text), {});
const no = given(flag, false);
const pool = object({
  ...{ Subnet: word, IPRange: optional(text), Gateway: optional(text) },
  AuxiliaryAddresses: optional(mapOf(text)),
});
const container = object({
  ...{ Name: word, EndpointID: word, MacAddress: word, IPv4Address: word, IPv6Address: word },
});
/** What docker has besides passes. */
const network = object({
  ...{ Name: text, Id: text, Created: word, Scope: word, Driver: word },
  ...{ EnableIPv4: given(flag, true), EnableIPv6: no, Internal: no, Attachable: no },
  IPAM: given(object({ Driver: word, Config: given(listOf(pool), []) }), { Driver: "", Config: [] }),
  ...{ Containers: given(mapOf(container), {}), Options: words, Labels: words },
}) as Shape<unknown> as Shape<NetworkDocument>;
const created = object({ Id: text, Warning: word });
const pruned = object({ NetworksDeleted: given(listOf(text), []) });

export function networkVerbs(caller: RemoteCaller): NetworkVerbs {
  const post = (name: string, verb: string, document: object) =>
    tell(caller, { method: "POST", path: `${pathOf`/networks/${name}`}${verb}`, document });
  return {
    async create(options) {
      const document = networkCreateDocument(options);
      const request = { method: "POST", path: "/networks/create", document } as const;
      const { Id, Warning } = await documentOf(caller, created, request, "network");
      if (Warning !== "") caller.session.warn(Warning);
      return Id;
    },
    async list({ filters }) {
      const query = { filters: formatFilters(filters) };
      const request = { method: "GET", path: "/networks", query } as const;
      const found = await documentOf(caller, listOf(network), request, "networks");
      return found.toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    },
    inspect: (name) =>
      documentOf(caller, network, { method: "GET", path: pathOf`/networks/${name}` }, "network"),
    async remove(name, { force }) {
      try {
        await tell(caller, { method: "DELETE", path: pathOf`/networks/${name}` });
        return true;
      } catch (error) {
        if (force && error instanceof RtError && error.code === "not-found") return false;
        throw error;
      }
    },
    prune({ filters }) {
      const query = { filters: formatFilters(filters) };
      return documentOf(caller, pruned, { method: "POST", path: "/networks/prune", query }, "pruned");
    },
    connect: async (name, Container, wish) =>
      void (await post(name, "/connect", { Container, EndpointConfig: endpointConfigDocument(wish) })),
    disconnect: async (name, Container, { force: Force }) =>
      void (await post(name, "/disconnect", { Container, Force })),
    reload: async () => {
      throw onHostAlone("network reload");
    },
  };
}

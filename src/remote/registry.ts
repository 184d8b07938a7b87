import { flag, listOf, natural, object, text } from "../base/shape.ts";
import { formatFilters } from "../docker/filters.ts";
import { given } from "../docker/zero.ts";
import type { RegistryVerbs } from "../engine/engine.ts";
import { documentOf, type RemoteCaller } from "./caller.ts";
import { trustOf } from "./pull.ts";
import { onHostAlone } from "./stdio.ts";

const found = object({
  ...{ star_count: given(natural, 0), is_official: given(flag, false), name: text },
  ...{ is_automated: given(flag, false), description: given(text, "") },
});

/** Logins are the caller's own: his host keeps them, and shows them to an engine with what he asks of a registry. */
export function registryVerbs(caller: RemoteCaller): RegistryVerbs {
  const own = async (verb: string) => {
    const engine = await caller.own.engine?.();
    if (!engine) throw onHostAlone(verb);
    return engine.registry;
  };
  return {
    account: async (server) => (await own("registry account")).account(server),
    credentials: async (repository) => (await own("registry credentials")).credentials(repository),
    login: async (options) => (await own("login")).login(options),
    logout: async (server) => (await own("logout")).logout(server),
    async search(term, { limit, filters, tlsVerify }) {
      const trust = await trustOf(caller, { tlsVerify });
      const query = { term, limit, filters: formatFilters(filters), ...trust };
      return documentOf(caller, listOf(found), { method: "GET", path: "/images/search", query }, "search");
    },
    serve: async () => {
      throw onHostAlone("registry serve");
    },
  };
}

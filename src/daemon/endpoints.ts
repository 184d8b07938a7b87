/**
 * What each row of the table is to a policy (policy.ts). A row that is not here is refused wherever there is one:
 *
 *   read       documents: lists, what is what, what happens, how it is
 *   data       what is in containers and images, and what their programs say
 *   change     what makes, changes, runs or removes something
 *   registry   what has this host ask others, with its own accounts
 *   engine     what concerns the daemon and all of its clients: no policy lets it through
 */
export type EndpointKind = "read" | "data" | "change" | "registry" | "engine";

export interface EndpointClass {
  noun: string;
  kind: EndpointKind;
  /** It has no end of its own: it is ended when the daemon is. */
  follows: boolean;
}

/** "GET PATH" as in the table; a "+" in front: it follows. */
const kinds: Readonly<Record<string, Readonly<Partial<Record<EndpointKind, string>>>>> = {
  system: {
    read: "GET /_ping|HEAD /_ping|GET /version|GET /info|GET /system/df|+GET /events",
    engine: "POST /auth|GET /rt/jobs|POST /session|POST /grpc",
  },
  container: {
    read:
      "GET /containers/json|GET /containers/{name}/json|GET /containers/{name}/top|+GET /containers/{name}/stats|" +
      "+POST /containers/{name}/wait",
    data:
      "+GET /containers/{name}/logs|GET /containers/{name}/changes|GET /containers/{name}/export|" +
      "HEAD /containers/{name}/archive|GET /containers/{name}/archive|POST /containers/{name}/copy",
    change:
      "POST /containers/create|POST /containers/{name}/start|POST /containers/{name}/stop|POST /containers/{name}/restart|" +
      "POST /containers/{name}/kill|POST /containers/{name}/update|POST /containers/{name}/rename|" +
      "POST /containers/{name}/pause|POST /containers/{name}/unpause|POST /containers/{name}/resize|" +
      "+POST /containers/{name}/attach|+GET /containers/{name}/attach/ws|DELETE /containers/{name}|" +
      "POST /containers/prune|PUT /containers/{name}/archive|POST /containers/{name}/exec|POST /commit",
    // Of rt's own command line, which has the host.
    engine:
      "GET /rt/containers/{name}/why|POST /rt/containers/{name}/publish|POST /rt/containers/{name}/unpublish",
  },
  exec: {
    read: "GET /exec/{id}/json",
    change: "+POST /exec/{id}/start|POST /exec/{id}/resize",
  },
  image: {
    read: "GET /images/json|GET /images/{name*}/json|GET /images/{name*}/history",
    data: "GET /images/{name*}/get|GET /images/get",
    change:
      "POST /images/{name*}/tag|DELETE /images/{name*}|POST /images/prune|POST /images/load|POST /build|POST /build/prune|POST /build/cancel",
    registry:
      "POST /images/create|POST /images/{name*}/push|GET /images/search|GET /distribution/{name*}/json",
  },
  network: {
    read: "GET /networks|GET /networks/{id}",
    change:
      "POST /networks/create|POST /networks/{id}/connect|POST /networks/{id}/disconnect|DELETE /networks/{id}|POST /networks/prune",
  },
  volume: {
    read: "GET /volumes|GET /volumes/{name}",
    change: "POST /volumes/create|PUT /volumes/{name}|DELETE /volumes/{name}|POST /volumes/prune",
  },
};

const endpoints = new Map<string, EndpointClass>();
for (const [noun, byKind] of Object.entries(kinds)) {
  for (const [kind, list] of Object.entries(byKind)) {
    for (const text of list.split("|")) {
      const follows = text.startsWith("+");
      endpoints.set(anonymous(follows ? text.slice(1) : text), { noun, kind: kind as EndpointKind, follows });
    }
  }
}

/** What a part of a path is called is the table's own affair. */
function anonymous(text: string): string {
  return text.replace(/\{\w+(\*?)\}/g, "{$1}");
}

/** @returns undefined: nobody has said what it is */
export function endpointOf({ method, path }: { method: string; path: string }): EndpointClass | undefined {
  return endpoints.get(anonymous(`${method} ${path}`)) ?? ofSwarms(method, path);
}

/** There are none, and nothing of them: to look is harmless, and Docker's own client does for each name that it does not find. */
function ofSwarms(method: string, path: string): EndpointClass | undefined {
  if (!/^\/(swarm|nodes|services|tasks|secrets|configs|plugins)(\/|$)/.test(path)) return undefined;
  return { noun: "swarm", kind: method === "GET" ? "read" : "engine", follows: false };
}

export const endpointNouns: readonly string[] = Object.keys(kinds);

import type { ApiCall } from "./call.ts";

export type Handler = (call: ApiCall) => Promise<void> | void;

export interface ApiRoute {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** "/containers/{name}/json"; a part of the form {name*} has slashes in it, as images' names have. */
  path: string;
  /** Loaded with its first request. */
  load: () => Promise<Handler>;
}

/**
 * Docker's Engine API: what is asked for where. Nothing but this table knows a path. A HEAD is its own row; every path may be
 * preceded by a version (/v1.51/…).
 */
export const rows: readonly ApiRoute[] = [
  { method: "GET", path: "/_ping", load: async () => (await import("./routes/system.ts")).getPing },
  { method: "HEAD", path: "/_ping", load: async () => (await import("./routes/system.ts")).getPing },
  { method: "GET", path: "/version", load: async () => (await import("./routes/system.ts")).getVersion },
  {
    method: "GET",
    path: "/containers/json",
    load: async () => (await import("./routes/container.ts")).getContainers,
  },
  {
    method: "GET",
    path: "/containers/{name}/json",
    load: async () => (await import("./routes/container.ts")).getContainer,
  },
];

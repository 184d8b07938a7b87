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
    method: "POST",
    path: "/containers/create",
    load: async () => (await import("./routes/container-create.ts")).postContainersCreate,
  },
  {
    method: "POST",
    path: "/containers/prune",
    load: async () => (await import("./routes/container.ts")).postContainersPrune,
  },
  {
    method: "GET",
    path: "/containers/{name}/json",
    load: async () => (await import("./routes/container.ts")).getContainer,
  },
  {
    method: "GET",
    path: "/containers/{name}/top",
    load: async () => (await import("./routes/container.ts")).getContainerTop,
  },
  {
    method: "GET",
    path: "/containers/{name}/changes",
    load: async () => (await import("./routes/container.ts")).getContainerChanges,
  },
  {
    method: "GET",
    path: "/containers/{name}/stats",
    load: async () => (await import("./routes/container-stats.ts")).getContainerStats,
  },
  {
    method: "POST",
    path: "/containers/{name}/start",
    load: async () => (await import("./routes/container-life.ts")).postContainerStart,
  },
  {
    method: "POST",
    path: "/containers/{name}/stop",
    load: async () => (await import("./routes/container-life.ts")).postContainerStop,
  },
  {
    method: "POST",
    path: "/containers/{name}/restart",
    load: async () => (await import("./routes/container-life.ts")).postContainerRestart,
  },
  {
    method: "POST",
    path: "/containers/{name}/kill",
    load: async () => (await import("./routes/container-life.ts")).postContainerKill,
  },
  {
    method: "POST",
    path: "/containers/{name}/pause",
    load: async () => (await import("./routes/container-life.ts")).postContainerPause,
  },
  {
    method: "POST",
    path: "/containers/{name}/unpause",
    load: async () => (await import("./routes/container-life.ts")).postContainerUnpause,
  },
  {
    method: "POST",
    path: "/containers/{name}/wait",
    load: async () => (await import("./routes/container-life.ts")).postContainerWait,
  },
  {
    method: "POST",
    path: "/containers/{name}/update",
    load: async () => (await import("./routes/container.ts")).postContainerUpdate,
  },
  {
    method: "POST",
    path: "/containers/{name}/rename",
    load: async () => (await import("./routes/container.ts")).postContainerRename,
  },
  {
    method: "DELETE",
    path: "/containers/{name}",
    load: async () => (await import("./routes/container.ts")).deleteContainer,
  },
];

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
  {
    method: "POST",
    path: "/containers/{name}/attach",
    load: async () => (await import("./routes/attach.ts")).postContainerAttach,
  },
  {
    method: "GET",
    path: "/containers/{name}/attach/ws",
    load: async () => (await import("./routes/attach.ts")).getContainerAttachWs,
  },
  {
    method: "POST",
    path: "/containers/{name}/exec",
    load: async () => (await import("./routes/exec.ts")).postContainerExec,
  },
  {
    method: "POST",
    path: "/exec/{id}/start",
    load: async () => (await import("./routes/exec.ts")).postExecStart,
  },
  {
    method: "POST",
    path: "/exec/{id}/resize",
    load: async () => (await import("./routes/exec.ts")).postExecResize,
  },
  {
    method: "GET",
    path: "/exec/{id}/json",
    load: async () => (await import("./routes/exec.ts")).getExec,
  },
  {
    method: "GET",
    path: "/containers/{name}/logs",
    load: async () => (await import("./routes/logs.ts")).getContainerLogs,
  },
  {
    method: "HEAD",
    path: "/containers/{name}/archive",
    load: async () => (await import("./routes/archive.ts")).headContainerArchive,
  },
  {
    method: "GET",
    path: "/containers/{name}/archive",
    load: async () => (await import("./routes/archive.ts")).getContainerArchive,
  },
  {
    method: "PUT",
    path: "/containers/{name}/archive",
    load: async () => (await import("./routes/archive.ts")).putContainerArchive,
  },
  {
    method: "GET",
    path: "/containers/{name}/export",
    load: async () => (await import("./routes/archive.ts")).getContainerExport,
  },
  {
    method: "POST",
    path: "/containers/{name}/resize",
    load: async () => (await import("./routes/resize.ts")).postContainerResize,
  },
];

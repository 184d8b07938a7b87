import type { ApiCall } from "./call.ts";

export type Handler = (call: ApiCall) => Promise<void> | void;

export interface ApiRoute {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** "/containers/{name}/json"; a part of the form {name*} has slashes in it, as images' names have. */
  path: string;
  /** Loaded with its first request. */
  load: () => Promise<Handler>;
}

const own = () => import("./routes/own.ts");
const system = () => import("./routes/system.ts");
const image = () => import("./routes/image.ts");
const imageTransfer = () => import("./routes/image-transfer.ts");
const build = () => import("./routes/build.ts");
const network = () => import("./routes/network.ts");
const volume = () => import("./routes/volume.ts");
const swarm = () => import("./routes/swarm.ts");

/**
 * Docker's Engine API: what is asked for where. Nothing but this table knows a path. A HEAD is its own row; every path may be
 * preceded by a version (/v1.51/…).
 */
export const rows: readonly ApiRoute[] = [
  { method: "GET", path: "/_ping", load: async () => (await import("./routes/system.ts")).getPing },
  { method: "HEAD", path: "/_ping", load: async () => (await import("./routes/system.ts")).getPing },
  { method: "GET", path: "/version", load: async () => (await import("./routes/system.ts")).getVersion },
  { method: "GET", path: "/rt/jobs", load: async () => (await import("./routes/jobs.ts")).getJobs },
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

  { method: "GET", path: "/info", load: async () => (await system()).getInfo },
  { method: "GET", path: "/system/df", load: async () => (await system()).getDiskUsage },
  { method: "GET", path: "/events", load: async () => (await system()).getEvents },
  { method: "POST", path: "/auth", load: async () => (await system()).postAuth },

  { method: "POST", path: "/images/create", load: async () => (await imageTransfer()).postImageCreate },
  { method: "POST", path: "/images/load", load: async () => (await imageTransfer()).postImagesLoad },
  { method: "GET", path: "/images/get", load: async () => (await imageTransfer()).getImagesArchive },
  { method: "GET", path: "/images/{name*}/get", load: async () => (await imageTransfer()).getImageArchive },
  { method: "POST", path: "/images/{name*}/push", load: async () => (await imageTransfer()).postImagePush },
  { method: "GET", path: "/images/json", load: async () => (await image()).getImages },
  { method: "GET", path: "/images/search", load: async () => (await image()).getImagesSearch },
  { method: "POST", path: "/images/prune", load: async () => (await image()).postImagesPrune },
  { method: "GET", path: "/images/{name*}/json", load: async () => (await image()).getImage },
  { method: "GET", path: "/images/{name*}/history", load: async () => (await image()).getImageHistory },
  { method: "POST", path: "/images/{name*}/tag", load: async () => (await image()).postImageTag },
  { method: "DELETE", path: "/images/{name*}", load: async () => (await image()).deleteImage },
  { method: "POST", path: "/commit", load: async () => (await image()).postCommit },
  { method: "GET", path: "/distribution/{name*}/json", load: async () => (await image()).getDistribution },

  { method: "POST", path: "/build", load: async () => (await build()).postBuild },
  { method: "POST", path: "/build/prune", load: async () => (await build()).postBuildPrune },
  { method: "POST", path: "/build/cancel", load: async () => (await build()).postBuildCancel },

  { method: "GET", path: "/networks", load: async () => (await network()).getNetworks },
  { method: "GET", path: "/networks/{name}", load: async () => (await network()).getNetwork },
  { method: "POST", path: "/networks/create", load: async () => (await network()).postNetworkCreate },
  { method: "POST", path: "/networks/prune", load: async () => (await network()).postNetworksPrune },
  {
    method: "POST",
    path: "/networks/{name}/connect",
    load: async () => (await network()).postNetworkConnect,
  },
  {
    method: "POST",
    path: "/networks/{name}/disconnect",
    load: async () => (await network()).postNetworkDisconnect,
  },
  { method: "DELETE", path: "/networks/{name}", load: async () => (await network()).deleteNetwork },

  { method: "GET", path: "/volumes", load: async () => (await volume()).getVolumes },
  { method: "GET", path: "/volumes/{name}", load: async () => (await volume()).getVolume },
  { method: "POST", path: "/volumes/create", load: async () => (await volume()).postVolumeCreate },
  { method: "POST", path: "/volumes/prune", load: async () => (await volume()).postVolumesPrune },
  { method: "PUT", path: "/volumes/{name}", load: async () => (await volume()).putVolume },
  { method: "DELETE", path: "/volumes/{name}", load: async () => (await volume()).deleteVolume },

  { method: "POST", path: "/swarm/init", load: async () => (await swarm()).postSwarm },
  { method: "POST", path: "/swarm/join", load: async () => (await swarm()).postSwarm },
  { method: "POST", path: "/swarm/leave", load: async () => (await swarm()).postSwarmLeave },
  ...ofSwarm(
    "GET",
    "/swarm /swarm/unlockkey /nodes /nodes/{id} /services /services/{id} /services/{id}/logs",
  ),
  ...ofSwarm("GET", "/tasks /tasks/{id} /tasks/{id}/logs /secrets /secrets/{id} /configs /configs/{id}"),
  ...ofSwarm("POST", "/swarm/update /swarm/unlock /nodes/{id}/update /services/create /services/{id}/update"),
  ...ofSwarm("POST", "/secrets/create /secrets/{id}/update /configs/create /configs/{id}/update"),
  ...ofSwarm("DELETE", "/nodes/{id} /services/{id} /secrets/{id} /configs/{id}"),

  { method: "GET", path: "/plugins", load: async () => (await swarm()).getPlugins },
  { method: "GET", path: "/plugins/privileges", load: async () => (await swarm()).refusePlugins },
  { method: "POST", path: "/plugins/pull", load: async () => (await swarm()).refusePlugins },
  { method: "POST", path: "/plugins/create", load: async () => (await swarm()).refusePlugins },
  { method: "GET", path: "/plugins/{name*}/json", load: async () => (await swarm()).refusePlugin },
  ...["enable", "disable", "push", "upgrade", "set"].map((verb): ApiRoute => {
    const path = `/plugins/{name*}/${verb}`;
    return { method: "POST", path, load: async () => (await swarm()).refusePlugin };
  }),
  { method: "DELETE", path: "/plugins/{name*}", load: async () => (await swarm()).refusePlugin },

  { method: "GET", path: "/rt/containers/{name}/why", load: async () => (await own()).getContainerWhy },
  {
    method: "POST",
    path: "/rt/containers/{name}/publish",
    load: async () => (await own()).postContainerPublish,
  },
  {
    method: "POST",
    path: "/rt/containers/{name}/unpublish",
    load: async () => (await own()).postContainerUnpublish,
  },
];

/** Paths with one answer: this is no manager of a swarm. */
function ofSwarm(method: ApiRoute["method"], paths: string): ApiRoute[] {
  return paths.split(" ").map((path) => ({ method, path, load: async () => (await swarm()).refuseSwarm }));
}

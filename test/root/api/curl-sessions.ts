/** What curl.test.ts asks, and what has to come: in the order in which it is asked. */
/** "METHOD TARGET", the status, what stands in the document (`keysOf`), and what is otherwise. */
type Visit = readonly [ask: string, status: number, keys?: string, more?: Expected & Sent];

interface Expected {
  /** Of the body, where that is no document: "" where there is none. */
  type?: string;
  /** Of version 1.24: keys that it has more ("+Key"), and those that it has not ("-Key"). */
  old?: string;
}

interface Sent {
  json?: object;
  /** A tar archive by name: docker's of the image probe:1, and one of a file. */
  tar?: "image" | "file";
}

/** A failure is a document of two keys. */
export const failureKeys = "code message";

const none: Expected = { type: "" };
const container = "Command Created HostConfig Id Image ImageID Labels Mounts Names NetworkSettings Ports";
const inspected =
  "AppArmorProfile Args Config Created Driver ExecIDs GraphDriver HostConfig HostnamePath HostsPath Id Image LogPath MountLabel Mounts Name NetworkSettings Path Platform ProcessLabel ResolvConfPath RestartCount";
const info =
  "Architecture CDISpecDirs CPUSet CPUShares CgroupDriver CgroupVersion ContainerdCommit Containers ContainersPaused ContainersRunning ContainersStopped CpuCfsPeriod CpuCfsQuota Debug DefaultAddressPools DefaultRuntime DiscoveredDevices DockerRootDir Driver DriverStatus ExperimentalBuild FirewallBackend GenericResources HttpProxy HttpsProxy ID IPv4Forwarding Images IndexServerAddress InitBinary InitCommit Isolation KernelVersion Labels LiveRestoreEnabled LoggingDriver MemTotal MemoryLimit NCPU NEventsListener NFd NGoroutines Name NoProxy OSType OSVersion OomKillDisable OperatingSystem PidsLimit Plugins RegistryConfig RuncCommit Runtimes SecurityOptions ServerVersion StateDir StoreLimit SwapLimit Swarm SystemTime Warnings";
const network =
  "Attachable ConfigFrom ConfigOnly Containers Created Driver EnableIPv4 EnableIPv6 IPAM Id Ingress Internal Labels Name Options Scope";
const volume = "CreatedAt Driver Labels Mountpoint Name Options Scope";

/** What no row of the table stands for. */
export const refused = ["GET /nothing", "GET /v1.99/info"] as const;

/** Nobody listens there. */
const nowhere = "127.0.0.1:1/x";

const port = { port: 80, protocol: "tcp", address: "127.0.0.1", first: 8080, last: 8080 };
const offHost = { NetworkMode: "none" };
const made = (...Cmd: string[]): Sent => ({ json: { Image: "probe:1", Cmd, HostConfig: offHost } });

/** By family of endpoints. */
export const sessions: Record<string, readonly Visit[]> = {
  system: [
    ["GET /_ping", 200, "", { type: "text/plain" }],
    ["HEAD /_ping", 200, "", { type: "text/plain" }],
    [
      "GET /version",
      200,
      "ApiVersion Arch BuildTime BunVersion Components GitCommit GoVersion KernelVersion MinAPIVersion Os Platform Version ZigVersion",
    ],
    [
      "GET /info",
      200,
      info,
      { old: "+BridgeNfIp6tables +BridgeNfIptables -DiscoveredDevices -FirewallBackend" },
    ],
    ["GET /system/df", 200, "BuildCache Containers Images LayersReclaimable LayersSize Leftovers Volumes"],
    [`GET /distribution/${nowhere}/json`, 503],
    [
      "POST /auth",
      503,
      failureKeys,
      { json: { username: "a", password: "b", serveraddress: nowhere.split("/")[0] } },
    ],
    ["GET /images/search?term=x&limit=200", 400],
    ["GET /rt/jobs", 200, "[] ID Name Since Target"],
    [refused[0], 404],
    [refused[1], 400],
  ],
  images: [
    ["POST /images/load", 200, "stream", { tar: "image" }],
    ["POST /images/create?fromSrc=-&repo=imported&tag=1", 200, "status", { tar: "file" }],
    [`POST /images/create?fromImage=${nowhere}&tag=1`, 503],
    [
      "GET /images/json",
      200,
      "[] Containers Created Id Labels ParentId RepoDigests RepoTags SharedSize Size",
      { old: "+VirtualSize" },
    ],
    [
      "GET /images/probe:1/json",
      200,
      "Architecture Author Comment Config Created Descriptor DockerVersion GraphDriver Id Metadata Os Parent RepoDigests RepoTags RootFS Size",
      { old: "+ContainerConfig +VirtualSize -Descriptor" },
    ],
    ["GET /images/probe:1/history", 200, "[] Comment Created CreatedBy Id Size Tags"],
    ["GET /images/probe:1/get", 200, "", { type: "application/x-tar" }],
    ["GET /images/get?names=probe:1&names=imported:1", 200, "", { type: "application/x-tar" }],
    [`POST /images/probe:1/tag?repo=${nowhere}&tag=1`, 201, "", none],
    [`POST /images/${nowhere}/push?tag=1`, 200, "code error errorDetail"],
    [`DELETE /images/${nowhere}:1`, 200, "[] Untagged"],
    ["DELETE /images/none", 404],
    ["GET /images/none/json", 404],
    ["POST /images/prune", 200, "ImagesDeleted SpaceReclaimed"],
    ["POST /build", 501, failureKeys, { tar: "file" }],
    ["POST /build/prune", 200, "CachesDeleted SpaceReclaimed"],
    ["POST /build/cancel?id=x", 200, "", none],
  ],
  containers: [
    ["POST /images/load", 200, "stream", { tar: "image" }],
    ["POST /containers/create?name=one", 201, "Id Warnings", made("sleep", "600")],
    ["POST /containers/create?name=one", 409, failureKeys, made("sleep", "600")],
    ["GET /containers/json?all=1", 200, `[] ${container} State Status`],
    ["POST /containers/one/start", 204, "", none],
    ["POST /containers/one/start", 304, "", none],
    ["GET /containers/json?size=1", 200, `[] ${container} SizeRootFs SizeRw State Status`],
    ["GET /containers/one/json", 200, `${inspected} State`],
    ["GET /containers/one/json?size=1", 200, `${inspected} SizeRootFs SizeRw State`],
    ["GET /containers/one/top", 200, "Processes Titles"],
    ["GET /containers/one/changes", 200],
    [
      "GET /containers/one/stats?stream=0&one-shot=1",
      200,
      "blkio_stats cpu_stats id memory_stats name num_procs pids_stats precpu_stats preread read storage_stats",
    ],
    ["POST /containers/one/update", 200, "Warnings", { json: { RestartPolicy: { Name: "no" } } }],
    ["POST /containers/one/resize?h=24&w=80", 200, "", none],
    ["POST /containers/one/pause", 204, "", none],
    ["POST /containers/one/pause", 409],
    ["POST /containers/one/unpause", 204, "", none],
    ["POST /containers/one/rename?name=two", 204, "", none],
    ["POST /containers/two/restart?t=0", 204, "", none],
    ["POST /containers/two/kill", 204, "", none],
    ["POST /containers/two/wait", 200, "StatusCode"],
    ["POST /containers/two/kill", 409],
    ["POST /containers/two/start", 204, "", none],
    ["POST /containers/two/stop?t=0", 204, "", none],
    ["POST /containers/two/stop?t=0", 304, "", none],
    ["POST /commit?container=two&repo=committed&tag=1", 201, "Id", { json: {} }],
    ["DELETE /containers/two", 204, "", none],
    ["DELETE /containers/two", 404],
    ["GET /containers/two/json", 404],
    ["POST /containers/create?name=left", 201, "Id Warnings", made("ids")],
    ["POST /containers/prune", 200, "ContainersDeleted SpaceReclaimed"],
    ["GET /events?since=1&until=NOW", 200, "Action Actor Type from id scope status time timeNano"],
  ],
  streams: [
    ["POST /images/load", 200, "stream", { tar: "image" }],
    ["POST /containers/create?name=says", 201, "Id Warnings", made("stderr", "said")],
    ["POST /containers/says/start", 204, "", none],
    ["POST /containers/says/wait", 200, "StatusCode"],
    ["GET /containers/says/logs?stderr=1", 200, "", { type: "application/vnd.docker.multiplexed-stream" }],
    ["GET /containers/says/logs", 400],
    ["POST /containers/says/attach?logs=1&stderr=1", 200, "", { type: "application/vnd.docker.raw-stream" }],
    ["GET /containers/says/attach/ws?logs=1", 400],
    ["GET /containers/says/export", 200, "", { type: "application/octet-stream" }],
    ["PUT /containers/says/archive?path=/", 200, "", { ...none, tar: "file" }],
    ["HEAD /containers/says/archive?path=/file", 200, "", none],
    ["GET /containers/says/archive?path=/file", 200, "", { type: "application/x-tar" }],
    ["GET /containers/says/archive?path=/none", 404],
    ["GET /containers/says/changes", 200, "[] Kind Path"],
    ["POST /containers/says/exec", 409, failureKeys, { json: { Cmd: ["/probe", "ids"] } }],
    ["POST /containers/create?name=up", 201, "Id Warnings", made("sleep", "600")],
    ["POST /containers/up/start", 204, "", none],
    ["POST /containers/up/exec", 201, "Id", { json: { Cmd: ["/probe", "ids"], AttachStdout: true } }],
    [
      "POST /exec/EXEC/start",
      200,
      "",
      { type: "application/vnd.docker.raw-stream", json: { Detach: false } },
    ],
    [
      "GET /exec/EXEC/json",
      200,
      "CanRemove ContainerID DetachKeys ExitCode ID OpenStderr OpenStdin OpenStdout Pid ProcessConfig Running",
    ],
    ["POST /exec/EXEC/resize?h=24&w=80", 409],
    ["POST /exec/none/start", 404, failureKeys, { json: {} }],
  ],
  networks: [
    ["POST /images/load", 200, "stream", { tar: "image" }],
    ["POST /networks/create", 201, "Id Warning", { json: { Name: "net" } }],
    ["POST /networks/create", 409, failureKeys, { json: { Name: "net" } }],
    ["GET /networks", 200, `[] ${network}`],
    ["GET /networks/net", 200, network],
    ["POST /containers/create?name=in", 201, "Id Warnings", { json: { Image: "probe:1", Cmd: ["ids"] } }],
    ["POST /networks/net/connect", 200, "", { ...none, json: { Container: "in" } }],
    ["POST /networks/net/disconnect", 200, "", { ...none, json: { Container: "in" } }],
    ["GET /rt/containers/in/why", 200, "exitCode findings headline id lastLines name status"],
    ["POST /rt/containers/in/publish", 409, "", { json: { Ports: [port] } }],
    ["POST /rt/containers/in/unpublish", 409, "", { json: { Ports: [port] } }],
    ["DELETE /networks/bridge", 403],
    ["DELETE /networks/net", 204, "", none],
    ["GET /networks/net", 404],
    ["POST /networks/prune", 200, "NetworksDeleted"],
  ],
  volumes: [
    ["POST /volumes/create", 201, volume, { json: { Name: "vol" } }],
    ["GET /volumes", 200, "Volumes Warnings"],
    ["GET /volumes/vol", 200, volume],
    ["PUT /volumes/vol?version=1", 503, failureKeys, { json: {} }],
    ["DELETE /volumes/vol", 204, "", none],
    ["GET /volumes/vol", 404],
    ["POST /volumes/prune", 200, "SpaceReclaimed VolumesDeleted"],
  ],
  swarm: [
    ["POST /swarm/init", 501, failureKeys, { json: {} }],
    ["POST /swarm/join", 501, failureKeys, { json: {} }],
    ["POST /swarm/leave", 503],
    ...asks("GET", "/swarm /swarm/unlockkey /nodes /nodes/x /services /services/x /services/x/logs /tasks"),
    ...asks("GET", "/tasks/x /tasks/x/logs /secrets /secrets/x /configs /configs/x"),
    ...asks("POST", "/swarm/update /swarm/unlock /nodes/x/update /services/create /services/x/update"),
    ...asks("POST", "/secrets/create /secrets/x/update /configs/create /configs/x/update"),
    ...asks("DELETE", "/nodes/x /services/x /secrets/x /configs/x"),
  ],
  plugins: [
    ["GET /plugins", 200, "[]"],
    [`GET /plugins/privileges?remote=${nowhere}`, 501],
    [`POST /plugins/pull?remote=${nowhere}`, 501],
    ["POST /plugins/create?name=x", 501, failureKeys, { tar: "file" }],
    ["GET /plugins/x/json", 404],
    ...["enable", "disable", "push", "upgrade", "set"].map(
      (verb) => [`POST /plugins/x/${verb}`, 404] as const,
    ),
    ["DELETE /plugins/x", 404],
  ],
};

/** Of what only a manager of a swarm can answer. */
function asks(method: string, paths: string): Visit[] {
  return paths.split(" ").map((path) => [`${method} ${path}`, 503]);
}

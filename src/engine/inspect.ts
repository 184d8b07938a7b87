import { join } from "node:path";
import { RtError } from "../base/errors.ts";
import type { ContainerRecord, ContainerState } from "../container/record.ts";
import { familiar } from "../reference/reference.ts";
import type { Mount } from "../settings/container-settings.ts";
import { reconcile } from "./care/reconcile.ts";
import { look } from "./container/look.ts";
import type { Host } from "./host.ts";

type Json = Record<string, unknown>;

/** `docker container inspect`'s object, as far as it is true of rt; of a damaged one what is known. @throws not-found */
export async function inspectContainer(host: Host, name: string): Promise<Json> {
  await reconcile(host);
  const container = host.containers.get(name);
  const { state } = look(host, container);
  const head = {
    Id: container.id,
    Created: container.created,
    State: stateOf(state),
    Image: container.imageId,
    Name: `/${container.name}`,
  };
  const record = readable(host, container);
  if (!record) return { ...head, Config: { Image: container.reference } };
  const directory = host.stateOf(record.id);
  return {
    Id: head.Id,
    Created: head.Created,
    Path: record.args[0],
    Args: record.args.slice(1),
    State: head.State,
    Image: head.Image,
    ResolvConfPath: join(directory, "resolv.conf"),
    HostnamePath: join(directory, "hostname"),
    HostsPath: join(directory, "hosts"),
    LogPath: "",
    Name: head.Name,
    RestartCount: 0,
    Driver: record.driver,
    Platform: record.platform.split("/")[0],
    ProcessLabel: "",
    MountLabel: "",
    AppArmorProfile: "",
    ExecIDs: null,
    HostConfig: hostConfig(record),
    GraphDriver: {
      Name: record.driver,
      Data: (await host.snapshotsOf(record.driver)).rootfs(record.id, record.chain, {}),
    },
    Mounts: record.mounts.map(mountPoint),
    Config: configOf(record),
    NetworkSettings: {
      SandboxID: "",
      Ports: {},
      IPAddress: "",
      Gateway: "",
      MacAddress: "",
      Networks: { [record.networkMode]: { IPAddress: "", Gateway: "", MacAddress: "", NetworkID: "" } },
    },
  };
}

/** Docker's zero values: what rt does not limit or share. */
const unlimited: Json = {
  BlkioWeight: 0,
  CgroupParent: "",
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuShares: 0,
  CpusetCpus: "",
  CpusetMems: "",
  DnsOptions: [],
  DnsSearch: [],
  Memory: 0,
  MemoryReservation: 0,
  MemorySwap: 0,
  NanoCpus: 0,
  OomKillDisable: false,
  OomScoreAdj: 0,
  PidMode: "",
  PidsLimit: null,
  UsernsMode: "",
  VolumesFrom: null,
};

function stateOf(state: ContainerState): Json {
  return {
    Status: state.status,
    Running: state.status === "running",
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    Dead: false,
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
  };
}

/** What is asked of has a record, or somebody is told why not. */
function readable<T>(host: Host, holder: { readonly record: T }): T | undefined {
  try {
    return holder.record;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    host.warn(error.message);
    return undefined;
  }
}

function hostConfig(record: ContainerRecord): Json {
  return {
    ...unlimited,
    Binds: record.mounts.filter((mount) => mount.type === "bind").map(bindText),
    ContainerIDFile: "",
    LogConfig: { Type: "none", Config: {} },
    NetworkMode: record.networkMode,
    PortBindings: {},
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    AutoRemove: record.autoRemove,
    CapAdd: record.capAdd,
    CapDrop: record.capDrop,
    CgroupnsMode: "private",
    Dns: record.dns,
    ExtraHosts: record.extraHosts,
    GroupAdd: record.groupAdd,
    IpcMode: "private",
    Privileged: record.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: record.readonlyRootfs,
    SecurityOpt: [
      ...(record.noNewPrivileges ? ["no-new-privileges"] : []),
      ...(record.seccomp ? [`seccomp=${record.seccomp}`] : []),
    ],
    Tmpfs: Object.fromEntries(
      record.mounts
        .filter((mount) => mount.type === "tmpfs")
        .map((mount) => [mount.destination, mount.options.join(",")]),
    ),
    UTSMode: "",
    ShmSize: record.shmSize,
    Sysctls: record.sysctls,
    Runtime: "native",
    Init: record.init,
    Annotations: record.annotations,
    Devices: record.devices.map(({ source, destination, permissions }) => ({
      PathOnHost: source,
      PathInContainer: destination,
      CgroupPermissions: permissions,
    })),
    Ulimits: record.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
  };
}

function bindText(mount: Mount): string {
  return `${mount.source}:${mount.destination}${mount.readonly ? ":ro" : ""}`;
}

function mountPoint(mount: Mount): Json {
  return {
    Type: mount.type,
    ...(mount.name !== undefined ? { Name: mount.name } : {}),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.type === "volume" ? { Driver: "local" } : {}),
    Mode: mount.type === "tmpfs" ? "" : mount.readonly ? "ro" : "",
    RW: !mount.readonly,
    Propagation: mount.options.find((option) => /^r?(private|shared|slave)$/.test(option)) ?? "",
  };
}

function configOf(record: ContainerRecord): Json {
  const entrypoint = record.args.slice(0, record.entrypointLength);
  return {
    Hostname: record.hostname,
    Domainname: "",
    User: record.user,
    AttachStdin: record.openStdin,
    AttachStdout: true,
    AttachStderr: true,
    Tty: record.tty,
    OpenStdin: record.openStdin,
    StdinOnce: record.openStdin,
    Env: record.env,
    Cmd: record.args.slice(record.entrypointLength),
    Image: record.image.reference,
    Volumes: null,
    WorkingDir: record.workingDirectory,
    Entrypoint: entrypoint.length > 0 ? entrypoint : null,
    Labels: record.labels,
    StopSignal: record.stopSignal,
  };
}

/** What an image that asks for nothing asks of a container. */
const noDefaults: Json = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  Labels: null,
};

/** `docker image inspect`'s object. @throws not-found */
export async function inspectImage(host: Host, name: string): Promise<Json> {
  const image = host.images.get(await host.localName(name));
  const head = { Id: image.id, RepoTags: image.tags.map(familiar), RepoDigests: image.digests.map(familiar) };
  const record = readable(host, image);
  if (!record) return head;
  return {
    ...head,
    Parent: "",
    Comment: "",
    Created: record.created || null,
    Author: record.author,
    Config: { ...noDefaults, ...record.config },
    Architecture: record.platform.architecture,
    ...(record.platform.variant ? { Variant: record.platform.variant } : {}),
    Os: record.platform.os,
    Size: record.size,
    GraphDriver: { Name: (await host.snapshots()).name, Data: null },
    RootFS: { Type: "layers", Layers: record.diffIDs },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}

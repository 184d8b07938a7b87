import type { ContainerSettings, Mount } from "../settings/container-settings.ts";
import { type ContainerConfig, containerConfig } from "./container-config.ts";
import type { PortFacts } from "./container-ports.ts";
import { type EndpointFacts, type NetworkSettings, networkSettings } from "./endpoint-settings.ts";
import type { Health } from "./health.ts";
import { type HostConfig, hostConfig, idMapDocument } from "./host-config.ts";
import { type MountPoint, mountPoints } from "./mount-point.ts";
import { type MountDocument, mountDocuments } from "./mount-request.ts";

/** GET /containers/ID/json, as far as it is true of rt; of a container whose record is damaged what is known. */
export type ContainerInspect = ContainerHead & (ContainerBody | { Config: { Image: string } });

interface ContainerHead {
  Id: string;
  Created: string;
  State: ContainerStateDocument;
  Image: string;
  /** With a slash in front. */
  Name: string;
}

interface ContainerBody {
  Path: string;
  Args: string[];
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  ProcessLabel: string;
  MountLabel: string;
  AppArmorProfile: string;
  ExecIDs: string[] | null;
  HostConfig: HostConfig & { Mounts?: MountDocument[] };
  GraphDriver: { Name: string; Data: Record<string, string> };
  /** Bytes of its own files, and of those with its image's; where they were asked for. */
  SizeRw?: number;
  SizeRootFs?: number;
  Mounts: MountPoint[];
  Config: ContainerConfig;
  NetworkSettings: NetworkSettings;
}

interface ContainerStateDocument {
  Status: string;
  Running: boolean;
  Paused: boolean;
  Restarting: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  StartedAt: string;
  FinishedAt: string;
  /** Where it is asked whether the program is well, once it has run. */
  Health?: Health;
}

/** What is known of a container whatever has happened to its record. */
export interface ContainerFacts {
  id: string;
  name: string;
  created: string;
  imageId: string;
  /** The image as the user called it. */
  reference: string;
  /** How often its policy has started it again since somebody did. */
  restarts?: number;
  state: {
    status: string;
    pid: number;
    exitCode: number;
    error: string;
    startedAt: string;
    finishedAt: string;
    circumstances?: { oom?: unknown } | undefined;
  };
  health?: Health | undefined;
  /** Of the programs that run in it besides its own. */
  execIds?: readonly string[];
}

export interface ContainerDescription {
  settings: ContainerSettings;
  driver: string;
  platform: string;
  /** With hosts, hostname and resolv.conf: those of the container whose network it has. */
  filesDirectory: string;
  /** "" where nothing is kept. */
  logPath: string;
  /** Its places in its networks. */
  endpoints: readonly EndpointFacts[];
  /** Of one that runs. */
  ports?: readonly PortFacts[];
  rootfs: Layers;
  /** What the kernel's security modules know it by. */
  labels?: { apparmorProfile?: string; selinuxLabel?: string; mountLabel?: string };
  /** Bytes, where somebody has asked for them. */
  size?: { writable: number; virtual: number } | undefined;
}

/** Where the driver has the layers, the image's top one first. */
type Layers =
  | { type: "overlay"; lower: readonly string[]; upper: string; work: string }
  | { type: "bind"; source: string };

/** @param description undefined of a damaged one */
export function containerInspect(
  facts: ContainerFacts,
  description: ContainerDescription | undefined,
): ContainerInspect {
  const State = stateDocument(facts.state, facts.health);
  const Name = `/${facts.name}`;
  if (!description) {
    const { id: Id, created: Created, imageId: Image } = facts;
    return { Id, Created, State, Image, Name, Config: { Image: facts.reference } };
  }
  const {
    settings,
    driver,
    platform,
    filesDirectory,
    logPath,
    rootfs,
    endpoints,
    ports,
    size,
    labels = {},
  } = description;
  const { args, entrypointLength, mounts } = settings;
  return {
    Id: facts.id,
    Created: facts.created,
    Path: args[0]!,
    Args: args.slice(1),
    State,
    Image: facts.imageId,
    ResolvConfPath: `${filesDirectory}/resolv.conf`,
    HostnamePath: `${filesDirectory}/hostname`,
    HostsPath: `${filesDirectory}/hosts`,
    LogPath: logPath,
    Name,
    RestartCount: facts.restarts ?? 0,
    Driver: driver,
    Platform: platform.split("/")[0]!,
    ProcessLabel: labels.selinuxLabel ?? "",
    MountLabel: labels.mountLabel ?? "",
    AppArmorProfile: labels.apparmorProfile ?? "",
    ExecIDs: facts.execIds?.length ? [...facts.execIds] : null,
    HostConfig: hostDocument(facts.name, settings),
    GraphDriver: { Name: driver, Data: placesOf(rootfs) },
    ...(size && { SizeRw: size.writable, SizeRootFs: size.virtual }),
    Mounts: mountPoints(mounts),
    Config: containerConfig(settings, facts.reference, {
      Cmd: args.slice(entrypointLength),
      Entrypoint: entrypointLength > 0 ? args.slice(0, entrypointLength) : null,
      Volumes: anonymousPlaces(mounts),
    }),
    NetworkSettings: networkSettings(facts, settings, endpoints, ports),
  };
}

/** Docker's names for them. What is merged of an overlay is in the container's mount namespace alone. */
function placesOf(layers: Layers): Record<string, string> {
  if (layers.type === "bind") return { MergedDir: layers.source };
  return { LowerDir: layers.lower.join(":"), UpperDir: layers.upper, WorkDir: layers.work };
}

function stateDocument(state: ContainerFacts["state"], health: Health | undefined): ContainerStateDocument {
  return {
    Status: state.status,
    Running: ["running", "paused", "restarting"].includes(state.status),
    Paused: state.status === "paused",
    Restarting: state.status === "restarting",
    OOMKilled: state.circumstances?.oom !== undefined,
    Dead: false,
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(health && { Health: health }),
  };
}

/** As they were asked for; Docker has `Mounts` there only where `--mount` asked for one. */
function hostDocument(name: string, settings: ContainerSettings): ContainerBody["HostConfig"] {
  const asked = settings.mounts.filter(({ implied }) => !implied).map(askedOf);
  const { Binds, Mounts, Tmpfs } = mountDocuments(asked);
  const document = hostConfig(settings, { Binds, Tmpfs });
  const Links = document.Links?.map((link) => `/${link.replace(":", `:/${name}/`)}`) ?? null;
  const { idMappings } = settings;
  const own = idMappings && { IDMappings: idMapDocument(idMappings) };
  return { ...document, ...own, Links, ...(Mounts.length > 0 && { Mounts }) };
}

/** Where `-v /x` and the image's VOLUMEs have volumes that nobody named. */
function anonymousPlaces(mounts: readonly Mount[]): Record<string, Record<string, never>> | null {
  const places = mounts
    .filter(({ anonymous, byMount }) => anonymous && !byMount)
    .map((each) => each.destination);
  return places.length > 0 ? Object.fromEntries(places.map((place) => [place, {}])) : null;
}

function askedOf(mount: Mount): Mount {
  if (mount.type !== "volume") return mount;
  return { ...mount, source: mount.anonymous ? "" : (mount.name ?? "") };
}

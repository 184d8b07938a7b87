import type { ContainerSettings, Mount } from "../settings/container-settings.ts";
import { type PortElement, type PortFacts, portElement, portFacts } from "./container-ports.ts";
import type { EndpointSettings } from "./endpoint-settings.ts";
import { type HealthStatus, healthWords } from "./health-status.ts";
import { type MountPoint, mountOf, mountPoints } from "./mount-point.ts";
import { formatSeconds, humanDuration, secondsOf } from "./time.ts";

/** A container in a list. */
export interface ContainerSummary {
  id: string;
  name: string;
  /** The image as the user called it, or its id where that is not its name any more. */
  image: string;
  imageId: string;
  /** The words of the command, with spaces between. */
  command: string;
  /** RFC 3339. */
  created: string;
  /** "created", "running", "paused", "restarting", "exited". */
  state: string;
  /** The state in words: "Up 3 minutes". */
  status: string;
  /** Of one that runs. */
  ports: PortFacts[];
  /** Only when asked for: to read a thousand of them takes a while. Undefined of a damaged one as well. */
  details?: ContainerDetails;
  /** Bytes of the writable top, and with the image's; only when asked for. */
  size?: { writable: number; virtual: number };
}

export interface ContainerDetails
  extends Pick<ContainerSettings, "labels" | "networkMode">,
    Partial<Pick<ContainerSettings, "annotations">> {
  mounts: Mount[];
  /** Names, sorted. */
  networks: string[];
  /** Where it is in them, by name; only when asked for. */
  places?: Record<string, EndpointSettings>;
  /** "linux/amd64"; "" when nobody says. */
  platform: string;
}

/** Docker's words for what a container does. Times in RFC 3339, `now` in ms since the epoch. */
export function statusText(
  state: { status: string; exitCode: number; startedAt: string; finishedAt: string },
  now: number,
  health?: HealthStatus,
): string {
  switch (state.status) {
    case "running": {
      const up = `Up ${since(state.startedAt, now)}`.trimEnd();
      return health ? `${up} (${healthWords(health)})` : up;
    }
    case "paused":
      return `Up ${since(state.startedAt, now)}`.trimEnd().concat(" (Paused)");
    case "restarting":
      return `Restarting (${state.exitCode}) ${ago(state.finishedAt, now)}`.trimEnd();
    case "exited":
      return `Exited (${state.exitCode}) ${ago(state.finishedAt, now)}`.trimEnd();
    default:
      return "Created";
  }
}

/** "3 minutes ago"; "" when nobody knows when it was. */
export function ago(timestamp: string, now: number): string {
  const duration = since(timestamp, now);
  return duration && `${duration} ago`;
}

function since(timestamp: string, now: number): string {
  const time = Date.parse(timestamp);
  return Number.isNaN(time) || timestamp.startsWith("0001-") ? "" : humanDuration(now - time);
}

/** An element of GET /containers/json. */
export interface ContainerListElement {
  Id: string;
  Names: string[];
  Image: string;
  ImageID: string;
  Command: string;
  /** Seconds since the epoch. */
  Created: number;
  Ports: PortElement[];
  SizeRw?: number;
  SizeRootFs?: number;
  Labels: Record<string, string>;
  State: string;
  Status: string;
  HostConfig: { NetworkMode: string; Annotations?: Record<string, string> };
  NetworkSettings: { Networks: Record<string, object> };
  Mounts: MountPoint[];
}

export function containerListElement(summary: ContainerSummary): ContainerListElement {
  const { details, size } = summary;
  const { networkMode: network = "", annotations = {} } = details ?? {};
  return {
    Id: summary.id,
    Names: [`/${summary.name}`],
    Image: summary.image,
    ImageID: summary.imageId,
    Command: summary.command,
    Created: secondsOf(summary.created),
    Ports: summary.ports.map(portElement),
    ...(size && { SizeRw: size.writable, SizeRootFs: size.virtual }),
    Labels: details?.labels ?? {},
    State: summary.state,
    Status: summary.status,
    HostConfig: {
      NetworkMode: network,
      ...(Object.keys(annotations).length > 0 && { Annotations: annotations }),
    },
    NetworkSettings: { Networks: networksOf(details) },
    Mounts: mountPoints(details?.mounts ?? []),
  };
}

/** Docker's lists say nothing of how it is called there. */
function networksOf({ networks = [], places = {} }: Partial<ContainerDetails> = {}): Record<string, object> {
  const silent = { Links: null, Aliases: null, DNSNames: null };
  const entries = Object.entries(places).map(([name, place]) => [name, { ...place, ...silent }] as const);
  return { ...Object.fromEntries(networks.map((name) => [name, {}])), ...Object.fromEntries(entries) };
}

/** @returns what the element says: the time of creation in whole seconds, and no platform */
export function containerSummary(element: ContainerListElement): ContainerSummary {
  const { SizeRw, SizeRootFs } = element;
  return {
    id: element.Id,
    name: (element.Names[0] ?? "").replace(/^\//, ""),
    image: element.Image,
    imageId: element.ImageID,
    command: element.Command,
    created: formatSeconds(element.Created),
    state: element.State,
    status: element.Status,
    ports: element.Ports.map(portFacts),
    details: {
      labels: element.Labels,
      networkMode: element.HostConfig.NetworkMode as ContainerDetails["networkMode"],
      mounts: element.Mounts.map(mountOf),
      networks: Object.keys(element.NetworkSettings.Networks),
      platform: "",
    },
    ...(SizeRootFs !== undefined && { size: { writable: SizeRw ?? 0, virtual: SizeRootFs } }),
  };
}

import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { flag, type Infer, integer, listOf, mapOf, natural, object, text } from "../base/shape.ts";
import type { MountRequest } from "../settings/container-settings.ts";
import { parseLabels } from "../settings/labels.ts";
import { tmpfsMount } from "../settings/tmpfs.ts";
import { destinationOf, isVolumeName, parseVolume, propagations, rejectTwice } from "../settings/volume.ts";
import { given, refuseOthers, unsupported } from "./zero.ts";

/** The four places where a new container's mounts may stand in the documents. */
export interface MountDocuments {
  /** "SOURCE:DESTINATION:MODES", as `-v` has it. */
  Binds: string[];
  Mounts: MountDocument[];
  /** Options by destination. */
  Tmpfs: Record<string, string>;
  /** Anonymous volumes, by destination. */
  Volumes: Record<string, unknown>;
}

const bindOptions = object({
  Propagation: given(text, ""),
  NonRecursive: given(flag, false),
  CreateMountpoint: given(flag, false),
});
const volumeOptions = object({ NoCopy: given(flag, false), Labels: given(mapOf(text), {}) });
const tmpfsOptions = object({
  SizeBytes: given(natural, 0),
  Mode: given(integer, 0),
  /** A flag, or a key and a value, each. */
  Options: given(listOf(listOf(text)), []),
});

/** HostConfig.Mounts, each: as `--mount` has it. */
export const mountDocument = object({
  Type: text,
  Source: given(text, ""),
  Target: text,
  ReadOnly: given(flag, false),
  BindOptions: given(bindOptions, { Propagation: "", NonRecursive: false, CreateMountpoint: false }),
  VolumeOptions: given(volumeOptions, { NoCopy: false, Labels: {} }),
  TmpfsOptions: given(tmpfsOptions, { SizeBytes: 0, Mode: 0, Options: [] }),
});
type WholeMount = Infer<typeof mountDocument>;

export interface MountDocument extends Pick<WholeMount, "Type" | "Source" | "Target" | "ReadOnly"> {
  BindOptions?: WholeMount["BindOptions"];
  VolumeOptions?: WholeMount["VolumeOptions"];
}

export function mountDocuments(mounts: readonly MountRequest[]): Omit<MountDocuments, "Volumes"> {
  const documents: Omit<MountDocuments, "Volumes"> = { Binds: [], Mounts: [], Tmpfs: {} };
  for (const mount of mounts) {
    if (mount.type === "tmpfs") {
      documents.Tmpfs[mount.destination] = [...mount.options, ...(mount.readonly ? ["ro"] : [])].join(",");
    } else if (isBindText(mount)) documents.Binds.push(bindText(mount));
    else documents.Mounts.push(documentOf(mount));
  }
  return documents;
}

/** Only a bind makes its source where that is missing, and it cannot say all. */
function isBindText({ type, createSource, options, source, destination }: MountRequest): boolean {
  const isPlain = type === "bind" && createSource && options[0] === "rbind";
  return isPlain && !source.includes(":") && !destination.includes(":");
}

function bindText({ source, destination, readonly, options }: MountRequest): string {
  const modes = [...(readonly ? ["ro"] : []), ...options.slice(1).filter((option) => option !== "rprivate")];
  return [source, destination, ...(modes.length > 0 ? [modes.join(",")] : [])].join(":");
}

function documentOf({ type, source, destination, readonly, options, createSource, labels }: MountRequest) {
  const document: MountDocument = { Type: type, Source: source, Target: destination, ReadOnly: readonly };
  if (type === "volume") document.VolumeOptions = { NoCopy: options.includes("nocopy"), Labels: labels };
  else {
    const propagation = options.find((option) => propagations.has(option)) ?? "";
    const NonRecursive = options.includes("bind");
    document.BindOptions = { Propagation: propagation, NonRecursive, CreateMountpoint: createSource };
  }
  return document;
}

/** @throws RtError invalid-argument | unsupported */
export function mountRequests({
  Binds,
  Mounts,
  Tmpfs,
  Volumes,
}: Omit<MountDocuments, "Mounts"> & { Mounts: WholeMount[] }): MountRequest[] {
  const asked = [
    ...Binds.map((text) => parseVolume(text, "HostConfig.Binds", absolute)),
    ...Mounts.map(requestOf),
    ...Object.entries(Tmpfs).map(([path, options]) => tmpfsRequest(path, options, "HostConfig.Tmpfs")),
  ];
  const taken = new Set(asked.map(({ destination }) => destination));
  const anonymous = Object.keys(Volumes).map((path): MountRequest => {
    const what = `Volumes ${quote(path)}`;
    const destination = destinationOf(rejectControl("Volumes", path), what);
    return { ...nothing, type: "volume", source: "", destination, readonly: false, options: [] };
  });
  const all = [...asked, ...anonymous.filter(({ destination }) => !taken.has(destination))];
  rejectTwice(all);
  return all;
}

const nothing = { createSource: false, labels: {} };

function absolute(path: string, what: string): string {
  if (!path.startsWith("/")) throw invalid(`invalid ${what}: ${quote(path)} is not an absolute path`);
  return posix.normalize(path).replace(/(.)\/$/, "$1");
}

function tmpfsRequest(path: string, options: string, what: string): MountRequest {
  rejectControl(what, `${path}:${options}`);
  return tmpfsMount(path, options, `${what} ${quote(path)}`);
}

const known = new Set([
  "Type",
  "Source",
  "Target",
  "ReadOnly",
  "BindOptions",
  "VolumeOptions",
  "TmpfsOptions",
]);
const anyText = (value: unknown) => typeof value === "string";

function requestOf(document: WholeMount): MountRequest {
  const { Type, Source, Target, ReadOnly, BindOptions, VolumeOptions, TmpfsOptions } = document;
  rejectControl("HostConfig.Mounts", `${Source}:${Target}`);
  const what = `HostConfig.Mounts ${quote(Target)}`;
  refuseOthers(document, known, { Consistency: anyText }, what);
  refuseOthers(BindOptions, new Set(["Propagation", "NonRecursive", "CreateMountpoint"]), {}, what);
  refuseOthers(VolumeOptions, new Set(["NoCopy", "Labels"]), {}, what);
  refuseOthers(TmpfsOptions, new Set(["SizeBytes", "Mode", "Options"]), {}, what);
  const mount = { ...nothing, destination: destinationOf(Target, what), readonly: ReadOnly };
  switch (Type) {
    case "bind": {
      const propagation = BindOptions.Propagation || "rprivate";
      if (!propagations.has(propagation))
        throw invalid(`invalid ${what}: no propagation ${quote(propagation)}`);
      const options = [BindOptions.NonRecursive ? "bind" : "rbind", propagation];
      const createSource = BindOptions.CreateMountpoint;
      return { ...mount, type: "bind", source: absolute(Source, what), options, createSource };
    }
    case "volume": {
      if (Source !== "" && !isVolumeName(Source))
        throw invalid(`invalid ${what}: ${quote(Source)} is no volume's name`);
      const labels = labelsOf(VolumeOptions.Labels, what);
      return {
        ...mount,
        type: "volume",
        source: Source,
        options: VolumeOptions.NoCopy ? ["nocopy"] : [],
        labels,
      };
    }
    case "tmpfs": {
      if (Source !== "") throw invalid(`invalid ${what}: a tmpfs has no source`);
      return { ...tmpfsRequest(Target, tmpfsText(TmpfsOptions), what), readonly: ReadOnly };
    }
    default:
      throw unsupported(`${what}: Type`, Type);
  }
}

function tmpfsText({ SizeBytes, Mode, Options }: WholeMount["TmpfsOptions"]): string {
  const own = [SizeBytes ? `size=${SizeBytes}` : "", Mode ? `mode=${Mode.toString(8)}` : ""];
  return [...own.filter(Boolean), ...Options.map((words) => words.join("="))].join(",");
}

/** @throws RtError invalid-argument: no text KEY=VALUE says the same */
export function labelsOf(labels: Readonly<Record<string, string>>, what: string): Record<string, string> {
  const bad = Object.keys(labels).find((key) => key.includes("="));
  if (bad !== undefined) throw invalid(`invalid ${what} ${quote(bad)}: the name has a "="`);
  return parseLabels(
    Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    what,
  );
}

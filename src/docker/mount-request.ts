import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { flag, type Infer, integer, listOf, mapOf, natural, object, optional, text } from "../base/shape.ts";
import type { MountRequest } from "../settings/container-settings.ts";
import { parseLabels } from "../settings/labels.ts";
import { localOptionsProblem } from "../settings/local-volume.ts";
import { propagations } from "../settings/propagation.ts";
import { tmpfsDefaults, tmpfsMount } from "../settings/tmpfs.ts";
import {
  checkChown,
  checkSubpath,
  destinationOf,
  isVolumeName,
  parseIdmap,
  parseVolume,
  rejectTwice,
} from "../settings/volume.ts";
import { given, refuseUnavailable, unsupported } from "./zero.ts";

/** The four places where a new container's mounts may stand in the documents. */
export interface MountDocuments {
  /** "SOURCE:DESTINATION:MODES", as `-v` has it. */
  Binds: string[];
  Mounts: MountDocument[];
  /** Options by destination. */
  Tmpfs: Record<string, string>;
  /** Anonymous volumes, by destination. */
  Volumes: Record<string, Record<string, never>>;
}

const bindOptions = object({
  Propagation: given(text, ""),
  NonRecursive: given(flag, false),
  CreateMountpoint: given(flag, false),
  ReadOnlyNonRecursive: given(flag, false),
  ReadOnlyForceRecursive: given(flag, false),
});
const driverConfig = object({ Name: given(text, ""), Options: given(mapOf(text), {}) });
const volumeOptions = object({
  NoCopy: given(flag, false),
  Labels: given(mapOf(text), {}),
  Subpath: given(text, ""),
  DriverConfig: given(driverConfig, { Name: "", Options: {} }),
});
const imageOptions = object({ Subpath: given(text, "") });
const tmpfsOptions = object({
  SizeBytes: given(natural, 0),
  Mode: given(integer, 0),
  /** A flag, or a key and a value, each. */
  Options: given(listOf(listOf(text)), []),
});
/** What only podman's `--mount` has, and Docker's documents have no place for. */
const ownOptions = object({
  Chown: given(flag, false),
  IdMap: optional(text),
  ReadWrite: given(flag, false),
});

/** HostConfig.Mounts, each: as `--mount` has it. */
export const mountDocument = object({
  Type: text,
  Source: given(text, ""),
  Target: text,
  ReadOnly: given(flag, false),
  BindOptions: given(bindOptions, bindOptions({}, "BindOptions")),
  VolumeOptions: given(volumeOptions, volumeOptions({}, "VolumeOptions")),
  ImageOptions: given(imageOptions, { Subpath: "" }),
  TmpfsOptions: given(tmpfsOptions, { SizeBytes: 0, Mode: 0, Options: [] }),
  RtOptions: given(ownOptions, { Chown: false, ReadWrite: false }),
});
type WholeMount = Infer<typeof mountDocument>;

type SaidVolumeOptions = Partial<Omit<WholeMount["VolumeOptions"], "DriverConfig">> & {
  DriverConfig?: Partial<WholeMount["VolumeOptions"]["DriverConfig"]>;
};

/** As Docker prints it: what says nothing is left out. */
export interface MountDocument extends Pick<WholeMount, "Type" | "Target"> {
  Source?: string;
  ReadOnly?: true;
  BindOptions?: Partial<WholeMount["BindOptions"]>;
  VolumeOptions?: SaidVolumeOptions;
  ImageOptions?: Partial<WholeMount["ImageOptions"]>;
  TmpfsOptions?: Partial<WholeMount["TmpfsOptions"]>;
  RtOptions?: Partial<WholeMount["RtOptions"]>;
}

/** What a request and a container's mount say alike. `source` is a volume's name, and "" where it has none. */
export type SaidMount = Omit<MountRequest, "createSource" | "labels"> &
  Partial<Pick<MountRequest, "createSource" | "labels">>;

export function mountDocuments(mounts: readonly SaidMount[]): MountDocuments & { Mounts: MountDocument[] } {
  const documents: MountDocuments & { Mounts: MountDocument[] } = {
    Binds: [],
    Mounts: [],
    Tmpfs: {},
    Volumes: {},
  };
  for (const mount of mounts) {
    if (mount.byMount) documents.Mounts.push(documentOf(mount));
    else if (mount.type === "tmpfs") documents.Tmpfs[mount.destination] = tmpfsWords(mount);
    else if (mount.source === "") documents.Volumes[mount.destination] = {};
    else documents.Binds.push(bindText(mount));
  }
  return documents;
}

function bindText({ source, destination, mode, readonly }: SaidMount): string {
  return [source, destination, mode ?? (readonly ? "ro" : "")].filter(Boolean).join(":");
}

function tmpfsWords({ options, readonly }: SaidMount): string {
  const asked = options.filter((option) => !tmpfsDefaults.includes(option));
  return [...asked, ...(readonly ? ["ro"] : [])].join(",");
}

function documentOf(mount: SaidMount): MountDocument {
  const { type, source, destination, readonly, chown, idmap, overlay } = mount;
  const own = {
    ...(chown && { Chown: true }),
    ...(idmap !== undefined && { IdMap: idmap }),
    ...(overlay && { ReadWrite: true }),
  };
  return {
    Type: type,
    ...(source !== "" && { Source: source }),
    Target: destination,
    ...(readonly && type !== "image" && ({ ReadOnly: true } as const)),
    ...filled("BindOptions", type === "bind" ? bindDocument(mount) : {}),
    ...filled("VolumeOptions", type === "volume" ? volumeDocument(mount) : {}),
    ...filled("ImageOptions", type === "image" && mount.subpath ? { Subpath: mount.subpath } : {}),
    ...filled("TmpfsOptions", type === "tmpfs" ? tmpfsDocument(mount) : {}),
    ...filled("RtOptions", own),
  };
}

function filled<Name extends string, Value extends object>(
  name: Name,
  value: Value,
): { [Key in Name]?: Value } {
  return Object.keys(value).length > 0 ? ({ [name]: value } as { [Key in Name]: Value }) : {};
}

function bindDocument({ options, createSource, below }: SaidMount): Partial<WholeMount["BindOptions"]> {
  const propagation = options.find((option) => propagations.has(option)) ?? "rprivate";
  return {
    ...(propagation !== "rprivate" && { Propagation: propagation }),
    ...(options.includes("bind") && { NonRecursive: true }),
    ...(createSource && { CreateMountpoint: true }),
    ...(below === "writable" && { ReadOnlyNonRecursive: true }),
    ...(below === "readonly" && { ReadOnlyForceRecursive: true }),
  };
}

function volumeDocument(mount: SaidMount): SaidVolumeOptions {
  const { options, labels = {}, subpath, volumeOptions } = mount;
  const said: SaidVolumeOptions = {
    ...(options.includes("nocopy") && { NoCopy: true }),
    ...(Object.keys(labels).length > 0 && { Labels: labels }),
    ...(subpath !== undefined && { Subpath: subpath }),
    ...(volumeOptions && { DriverConfig: { Name: "local", Options: volumeOptions } }),
  };
  // As Docker's client writes it.
  return Object.keys(said).length > 0 ? { DriverConfig: {}, ...said } : {};
}

function tmpfsDocument({ options }: SaidMount): Partial<WholeMount["TmpfsOptions"]> {
  const size = options.find((option) => /^size=\d+$/.test(option));
  const mode = options.find((option) => option.startsWith("mode="));
  const rest = options.filter((each) => each !== size && each !== mode && !tmpfsDefaults.includes(each));
  return {
    ...(size && { SizeBytes: Number(size.slice("size=".length)) }),
    ...(mode && { Mode: Number.parseInt(mode.slice("mode=".length), 8) }),
    ...(rest.length > 0 && { Options: rest.map((option) => option.split("=")) }),
  };
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

function requestOf(document: WholeMount): MountRequest {
  const { Type, Source, Target, ReadOnly, BindOptions, TmpfsOptions, RtOptions } = document;
  rejectControl("HostConfig.Mounts", `${Source}:${Target}`);
  const what = `HostConfig.Mounts ${quote(Target)}`;
  refuseUnavailable(document, { ClusterOptions: () => false }, what);
  const mount: Omit<MountRequest, "type"> = {
    ...nothing,
    source: Source,
    destination: destinationOf(Target, what),
    readonly: ReadOnly,
    options: [],
    byMount: true,
    ...(RtOptions.Chown && { chown: true }),
    ...(RtOptions.IdMap !== undefined && { idmap: parseIdmap(RtOptions.IdMap, what) }),
  };
  switch (Type) {
    case "bind": {
      const bind = {
        ...mount,
        type: "bind",
        source: absolute(Source, what),
        ...bindPart(BindOptions, what),
      } as const;
      checkChown(bind);
      return bind;
    }
    case "volume":
      return { ...mount, type: "volume", ...volumePart(document, what) };
    case "image": {
      if (Source === "") throw invalid(`invalid ${what}: an image mount has a source`);
      const { Subpath } = document.ImageOptions;
      const subpath = Subpath !== "" && { subpath: checkSubpath(Subpath, what) };
      const { ReadWrite } = RtOptions;
      return {
        ...mount,
        type: "image",
        readonly: !ReadWrite,
        ...(ReadWrite && { overlay: true }),
        ...subpath,
      };
    }
    case "tmpfs": {
      if (Source !== "") throw invalid(`invalid ${what}: a tmpfs has no source`);
      const { options } = tmpfsRequest(Target, tmpfsText(TmpfsOptions), what);
      return { ...mount, type: "tmpfs", options };
    }
    default:
      throw unsupported(`${what}: Type`, Type);
  }
}

function bindPart(
  options: WholeMount["BindOptions"],
  what: string,
): Pick<MountRequest, "options" | "createSource" | "below"> {
  const propagation = options.Propagation || "rprivate";
  if (!propagations.has(propagation)) throw invalid(`invalid ${what}: no propagation ${quote(propagation)}`);
  return {
    options: [options.NonRecursive ? "bind" : "rbind", propagation],
    createSource: options.CreateMountpoint,
    ...(options.ReadOnlyNonRecursive && { below: "writable" as const }),
    ...(options.ReadOnlyForceRecursive && { below: "readonly" as const }),
  };
}

function volumePart(
  { Source, VolumeOptions }: WholeMount,
  what: string,
): Partial<MountRequest> & Pick<MountRequest, "options"> {
  const { NoCopy, Labels, Subpath, DriverConfig } = VolumeOptions;
  if (Source !== "" && !isVolumeName(Source))
    throw invalid(`invalid ${what}: ${quote(Source)} is no volume's name`);
  const driver = DriverConfig.Name || "local";
  if (driver !== "local")
    throw invalid(
      `invalid ${what}: error looking up volume plugin ${driver}: plugin ${quote(driver)} not found`,
    );
  const problem = localOptionsProblem(DriverConfig.Options);
  if (problem !== undefined) throw invalid(`invalid ${what}: ${problem}`);
  return {
    options: NoCopy ? ["nocopy"] : [],
    labels: labelsOf(Labels, what),
    ...(Object.keys(DriverConfig.Options).length > 0 && { volumeOptions: DriverConfig.Options }),
    ...(Subpath !== "" && { subpath: checkSubpath(Subpath, what) }),
  };
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

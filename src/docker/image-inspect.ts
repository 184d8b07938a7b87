import { posix } from "node:path";
import type { ContainerDefaults } from "../oci/image-config.ts";

/** GET /images/NAME/json, as far as it is true of rt; of an image whose record is damaged what is known. */
export type ImageInspect = ImageHead & Partial<ImageBody>;

interface ImageHead {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
}

interface ImageBody {
  Parent: string;
  Comment: string;
  Created: string | null;
  DockerVersion: string;
  Author: string;
  /** Null where the image does not say. */
  Config: { [K in keyof ContainerDefaults]: ContainerDefaults[K] | null };
  Architecture: string;
  Variant: string;
  Os: string;
  OsVersion: string;
  Size: number;
  GraphDriver: { Name: string; Data: Record<string, string> | null };
  RootFS: { Type: "layers"; Layers: string[] };
  Metadata: { LastTagTime: string };
  /** As of docker's containerd store: what the name leads to, an index or a manifest. */
  Descriptor: { mediaType: string; digest: string; size: number };
}

/** What an image that asks for nothing asks of a container. */
const noDefaults = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  Labels: null,
  OnBuild: null,
};

export interface ImageFacts {
  id: string;
  /** As people are shown them, both. */
  tags: string[];
  digests: string[];
}

export interface ImageDescription {
  /** RFC 3339, or "". */
  created: string;
  author: string;
  comment: string;
  dockerVersion: string;
  config: ContainerDefaults;
  platform: { os: string; architecture: string; variant?: string; "os.version"?: string };
  size: number;
  diffIDs: string[];
  driver: string;
  /** Directories of its layers, topmost first; none of a driver that keeps an image's files as one tree. */
  layers: readonly string[];
  /** When it was last given a name here: milliseconds since 1970. */
  tagged: number | undefined;
  descriptor: { mediaType: string; digest: string; size: number };
}

/** @param description undefined of a damaged one */
export function imageInspect(facts: ImageFacts, description: ImageDescription | undefined): ImageInspect {
  const head = { Id: facts.id, RepoTags: facts.tags, RepoDigests: facts.digests };
  if (!description) return head;
  const { created, author, comment, config, platform, size, diffIDs, driver, tagged } = description;
  const { mediaType, digest, size: length } = description.descriptor;
  const version = platform["os.version"];
  return {
    ...head,
    ...{ Parent: "", Comment: comment, Created: created || null },
    ...{ DockerVersion: description.dockerVersion, Author: author },
    Config: { ...noDefaults, ...config },
    Architecture: platform.architecture,
    ...(platform.variant ? { Variant: platform.variant } : {}),
    Os: platform.os,
    ...(version ? { OsVersion: version } : {}),
    Size: size,
    GraphDriver: { Name: driver, Data: placesOf(description.layers) },
    RootFS: { Type: "layers", Layers: diffIDs },
    Metadata: { LastTagTime: tagged === undefined ? never : new Date(tagged).toISOString() },
    Descriptor: { mediaType, digest, size: length },
  };
}

/** Of a container's Config, what no image says: older versions of the API had it in an image's too. */
const noContainer = {
  ...{
    Hostname: "",
    Domainname: "",
    Image: "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
  },
  ...{ Tty: false, OpenStdin: false, StdinOnce: false },
};

/**
 * The document as versions of the API before 1.51 have it.
 * @param since whether the client's is that one, or newer
 * @param isComposeV1 it asks for the newest, and looks for what was there before 1.45: which volumes of the image are the container's
 * that it makes anew
 */
export function imageInspectAnswer(
  document: ImageInspect,
  since: (version: string) => boolean,
  isComposeV1 = false,
): Record<string, unknown> {
  const { Descriptor, ...rest } = document;
  const Volumes = document.Config?.Volumes ?? null;
  return {
    ...rest,
    ...(!since("1.50") && { Config: { ...noContainer, ...document.Config } }),
    ...(Descriptor && since("1.48") && { Descriptor }),
    ...((isComposeV1 || !since("1.45")) && { ContainerConfig: { ...noContainer, ...noDefaults, Volumes } }),
    ...(!since("1.44") && { VirtualSize: document.Size ?? 0, Created: document.Created ?? never }),
  };
}

const never = "0001-01-01T00:00:00Z";

/** Docker's names for them. What is merged, and what for, is in a container's mount namespace alone: nothing is there. */
function placesOf([top, ...below]: readonly string[]): Record<string, string> | null {
  if (top === undefined) return null;
  const beside = (name: string) => posix.join(posix.dirname(top), name);
  return {
    ...(below.length > 0 && { LowerDir: below.join(":") }),
    ...{ MergedDir: beside("merged"), UpperDir: top, WorkDir: beside("work") },
  };
}

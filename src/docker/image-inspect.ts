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
  Author: string;
  /** Null where the image does not say. */
  Config: { [K in keyof ContainerDefaults]: ContainerDefaults[K] | null };
  Architecture: string;
  Variant: string;
  Os: string;
  Size: number;
  GraphDriver: { Name: string; Data: null };
  RootFS: { Type: "layers"; Layers: string[] };
  Metadata: { LastTagTime: string };
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
  comment?: string;
  config: ContainerDefaults;
  platform: { os: string; architecture: string; variant?: string };
  size: number;
  diffIDs: string[];
  driver: string;
}

/** @param description undefined of a damaged one */
export function imageInspect(facts: ImageFacts, description: ImageDescription | undefined): ImageInspect {
  const head = { Id: facts.id, RepoTags: facts.tags, RepoDigests: facts.digests };
  if (!description) return head;
  const { created, author, comment = "", config, platform, size, diffIDs, driver } = description;
  return {
    ...head,
    Parent: "",
    Comment: comment,
    Created: created || null,
    Author: author,
    Config: { ...noDefaults, ...config },
    Architecture: platform.architecture,
    ...(platform.variant ? { Variant: platform.variant } : {}),
    Os: platform.os,
    Size: size,
    GraphDriver: { Name: driver, Data: null },
    RootFS: { Type: "layers", Layers: diffIDs },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}

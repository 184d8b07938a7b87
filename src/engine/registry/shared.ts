import type { ContentStore } from "../../content/content-store.ts";
import type { UploadHash } from "../../content/upload-file.ts";
import type { RepositoryStore } from "../../image/repository-store.ts";
import type { Host } from "../host.ts";
import type { Documents } from "./documents.ts";
import type { Mirror } from "./mirror.ts";
import type { Pulled } from "./pulled.ts";
import type { Released } from "./released.ts";
import type { UploadRoom } from "./upload-room.ts";
import type { WithinLimit } from "./within-limit.ts";

/** What all repositories share. */
export interface Shared {
  host: Host;
  content: ContentStore;
  rows: RepositoryStore;
  released: Released;
  limit: WithinLimit;
  /** Hashes of uploads that go on: in this process alone, and no loss. */
  hashes: Map<string, UploadHash>;
  room: UploadRoom;
  documents: Documents;
  pulled: Pulled;
  mirror: Mirror | undefined;
}

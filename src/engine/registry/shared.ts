import type { ContentStore } from "../../content/content-store.ts";
import type { UploadHash } from "../../content/upload-file.ts";
import type { RepositoryStore } from "../../image/repository-store.ts";
import type { Host } from "../host.ts";
import type { Mirror } from "./mirror.ts";
import type { Released } from "./released.ts";

/** What all repositories share. */
export interface Shared {
  host: Host;
  content: ContentStore;
  rows: RepositoryStore;
  released: Released;
  /** Hashes of uploads that go on: in this process alone, and no loss. */
  hashes: Map<string, UploadHash>;
  mirror: Mirror | undefined;
}

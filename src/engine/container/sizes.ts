import { type Container, recordOf } from "../../container/stored-container.ts";
import type { Host } from "../host.ts";
import { hasFiles } from "./root.ts";

/** Bytes of a container's own files, and of those together with its image's. What cannot be read of it has none. */
export async function sizesOf(
  host: Host,
  container: Container,
): Promise<{ writable: number; virtual: number }> {
  const record = recordOf(container);
  const snapshots = record && (await host.snapshotsOf(record.driver));
  const writable = snapshots && hasFiles(snapshots, record) ? (await snapshots.usage(container.id)).bytes : 0;
  return { writable, virtual: writable + host.images.sizeOf(container.imageId) };
}

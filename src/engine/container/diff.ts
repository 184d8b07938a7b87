import type { Change } from "../../snapshot/snapshot.ts";
import type { Host } from "../host.ts";
import { find } from "./find.ts";
import { madeByStart, rootfsOf } from "./root.ts";

/** What a container changed of its image's files, by path; not what lies in volumes. */
export async function diff(host: Host, name: string): Promise<Change[]> {
  const { record } = (await find(host, name)).container;
  await rootfsOf(host, record);
  const snapshots = await host.snapshotsOf(record.driver);
  const options = { owners: record.idMappings, abort: host.session.abort };
  const changes = await snapshots.changes(record.id, record.chain, madeByStart, options);
  return changes.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

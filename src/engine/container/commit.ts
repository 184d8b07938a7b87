import { RtError, withCause } from "../../base/errors.ts";
import type { ContainerRecord } from "../../container/record.ts";
import type { Draft } from "../../content/draft.ts";
import { healthcheckDocument } from "../../docker/health.ts";
import { mergeChanges, parseImageChanges } from "../../docker/image-change.ts";
import { type Digest, parseDigest } from "../../oci/digest.ts";
import type { ContainerDefaults } from "../../oci/image-config.ts";
import { familiar, type Reference } from "../../reference/reference.ts";
import type { WrittenLayer } from "../../snapshot/snapshot.ts";
import { protect } from "../care/collect.ts";
import { keepWithinLimit } from "../care/limit.ts";
import type { Host } from "../host.ts";
import { baseOf } from "../image/base.ts";
import { defaultLayerSizeMax } from "../image/unpack.ts";
import { parseTarget, writeImage } from "../image/write.ts";
import { containerEvent, imageEvent } from "../record-event.ts";
import { timestamp } from "./describe.ts";
import { find, type Look } from "./find.ts";
import { standingStill } from "./pause.ts";
import { hasFiles, madeByStart } from "./root.ts";

export interface CommitOptions {
  /** What the new image will be called: "name[:tag]". */
  reference?: string | undefined;
  author: string;
  comment: string;
  /** Instructions of a Dockerfile that say what its containers are to be: `CMD ["sh"]`. */
  changes: readonly string[];
  /** What its containers are to be, in the place of what this container was told to be; changes come on top of it. */
  config?: ContainerDefaults | undefined;
  /** A running container stands still while its files are read. */
  pause: boolean;
}

/** A tar archive without an entry: docker adds no layer for that. */
const emptyLayer = parseDigest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");

/**
 * A new image of what a container has: its image, a layer of what it changed, and what it was told to be. Volumes are not part
 * of it. The layer is unpacked again before anybody sees the image: what was written is what can be read.
 * @returns the image's id
 * @throws RtError not-found; invalid-argument: the name, or a change; conflict: its image is gone; exhausted
 */
export async function commitContainer(host: Host, name: string, options: CommitOptions): Promise<Digest> {
  const target = options.reference ? parseTarget(options.reference) : undefined;
  const seen = await find(host, name);
  const { record } = seen.container;
  const image = host.images.find(record.image.id);
  if (!image) throw conflict(`the image of container ${record.name} is gone, and its layers with it`);
  const config = configOf(record, image.config, options);
  const base = await baseOf(host, image);
  const needed = [...image.chain, ...[...base.layers, image.configuration].map(({ digest }) => digest)];
  using leases = new DisposableStack();
  leases.use(await protect(host, needed, host.session.abort));
  using draft = (await host.content()).draft();
  const written = await writeLayer(host, seen, draft, options.pause);
  if (written.leftOut > 0) host.warn(leftOut(written.leftOut));
  const driver = await host.snapshotsOf(record.driver);
  const isEmpty = written.digest === emptyLayer;
  const layer = isEmpty ? undefined : { driver, parents: record.chain, draft, ...written };
  const made = await writeImage(host, layer, target, {
    ...{ base, config, author: options.author, comment: options.comment },
    createdBy: record.args.slice(record.entrypointLength).join(" "),
    created: timestamp(),
  });
  tell(host, seen, made, options.comment, target);
  leases.dispose();
  await keepWithinLimit(host, [made]);
  return made;
}

async function writeLayer(host: Host, seen: Look, draft: Draft, pause: boolean): Promise<WrittenLayer> {
  const { record } = seen.container;
  const snapshots = await host.snapshotsOf(record.driver);
  if (!hasFiles(snapshots, record)) return { digest: emptyLayer, bytes: 1024, leftOut: 0 };
  const sizeMax = (await host.config()).maxLayerSize ?? defaultLayerSizeMax;
  const { abort } = host.session;
  const how = { sizeMax, abort, owners: record.idMappings };
  const write = () => snapshots.commit(record.id, record.chain, madeByStart, draft.fd, how);
  try {
    return await (pause ? standingStill(host, seen, write) : write());
  } catch (error) {
    throw withCause(`cannot commit container ${record.name}`, error);
  }
}

function leftOut(count: number): string {
  const names = count === 1 ? "1 name is" : `${count} names are`;
  return `${names} not in the image: ".wh." at its beginning, or the device 0:0, means in a layer that a file was deleted`;
}

/** What the container was told to be, as an image says it: without what every container has of itself. */
function configOf(
  record: ContainerRecord,
  image: ContainerDefaults,
  asked: Pick<CommitOptions, "changes" | "config">,
): ContainerDefaults {
  const own = new Set([`HOSTNAME=${record.hostname}`]);
  if (record.tty && !image.Env?.some((entry) => entry.startsWith("TERM="))) own.add("TERM=xterm");
  const { args, entrypointLength, labels, user, stopSignal } = record;
  const isUsual = record.workingDirectory === "/" && !image.WorkingDir;
  const places = record.mounts.flatMap((each) => (each.anonymous ? [[each.destination, {}] as const] : []));
  const { ExposedPorts, Shell } = image;
  // Records of before it was kept have none.
  const Healthcheck = record.healthcheck ? healthcheckDocument(record.healthcheck) : image.Healthcheck;
  const container: ContainerDefaults = {
    ...(user && { User: user }),
    ...(ExposedPorts && { ExposedPorts }),
    Env: record.env.filter((entry) => !own.has(entry)),
    ...(entrypointLength > 0 && { Entrypoint: args.slice(0, entrypointLength) }),
    Cmd: args.slice(entrypointLength),
    Volumes: { ...image.Volumes, ...Object.fromEntries(places) },
    ...(!isUsual && { WorkingDir: record.workingDirectory }),
    Labels: labels,
    ...((image.StopSignal || stopSignal !== "SIGTERM") && { StopSignal: stopSignal }),
    ...(Healthcheck && { Healthcheck }),
    ...(Shell && { Shell }),
  };
  const { workingDirectory, env } = record;
  const shell = Shell ?? ["/bin/sh", "-c"];
  const changes = parseImageChanges(asked.changes, { env, workingDirectory, shell });
  const said = asked.config ? mergeChanges(changes, asked.config) : changes;
  const merged = mergeChanges(said, container);
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => !isNothing(value)));
}

function isNothing(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function tell(
  host: Host,
  { container }: Look,
  id: Digest,
  comment: string,
  target: Reference | undefined,
): void {
  if (target) imageEvent(host, "tag", id, familiar(target));
  const imageRef = target ? familiar(target) : "";
  containerEvent(host, container, "commit", { comment, imageID: id, imageRef });
}

function conflict(message: string): RtError {
  return new RtError("conflict", message, { exitCode: 1 });
}

import type { Database as Sqlite } from "bun:sqlite";
import { fillContainerColumns, fillContainerVolumes } from "./backfill.ts";

/**
 * The tables. `migrations[n]` takes a database from user_version n to n + 1; released entries are never edited.
 *
 *   images 1─n tags            what people call it: "docker.io/library/alpine:latest", "docker.io/library/alpine@sha256:…"
 *      │ 1─n image_blobs ─ blobs          what save and push need, and what collection must keep
 *      │ 1─1 image_uses           when it was last of use
 *      └ 1─n image_layers ─ layers        chainIDs, bottom first; unpacked by a snapshot driver
 *                          └ 1─1 layer_owners   the highest owners in it, once somebody has looked
 *   containers                 the record, and the exit facts once somebody has seen the exit
 *      └ 1─n container_volumes       the volumes that it has: they are in use. No record of it is needed to tell
 *   volumes                    what was said of a volume; one that has a directory and no row is a volume too
 *   networks                   what was said of a network; three are there from the beginning
 *      └ 1─n network_endpoints ─ containers    who has been in it, until he is removed
 *           │ 1─n network_openings ─ containers   to whose ports he is let where others are not
 *           └ 1─n network_leases               and his addresses: nobody else has one of these in that network
 *   containers 1─n container_ports   of one that runs: the ports that it shows, and those of the host that lead to them
 *   containers 1─n container_ids     of one with a user namespace of its own: the host's numbers in its maps
 *   leases 1─n lease_items     what a running command is about to refer to: not garbage yet
 *   repository_manifests       what was pushed to the registry that is served here, or mirrored; of one that is an image here it
 *      │                       goes with the image. A local name is in no table of these: it is looked up in `tags`
 *      ├ 1─1 repository_annotations   where it has some
 *      ├ 1─n repository_tags          those that are no image here
 *      └ 1─n repository_references    blobs and manifests that it names
 *   repository_blobs           who has pushed or mounted what where: it can be had from that repository alone
 *   repository_uploads         blobs on their way in; their bytes are files
 *
 * A `record` is one CBOR value (codec.ts). Columns beside it exist to be searched or joined, or because a list of a thousand
 * rows shows them: a record costs a tenth of a millisecond to decode.
 */
export const migrations: readonly Migration[] = [
  {
    sql: `
  CREATE TABLE images (
    id     TEXT NOT NULL PRIMARY KEY,
    record BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tags (
    name   TEXT NOT NULL PRIMARY KEY,
    image  TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    target TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_image ON tags (image);

  CREATE TABLE blobs (
    digest     TEXT NOT NULL PRIMARY KEY,
    size       INTEGER NOT NULL,
    media_type TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE image_blobs (
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    blob  TEXT NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (image, blob)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_blobs_blob ON image_blobs (blob);

  CREATE TABLE layers (
    chain  TEXT NOT NULL,
    driver TEXT NOT NULL,
    diff   TEXT NOT NULL,
    parent TEXT,
    blob   TEXT NOT NULL,
    size   INTEGER NOT NULL,
    made   INTEGER NOT NULL,
    PRIMARY KEY (chain, driver)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE image_layers (
    image    TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    chain    TEXT NOT NULL,
    PRIMARY KEY (image, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_layers_chain ON image_layers (chain);

  CREATE TABLE containers (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    image       TEXT NOT NULL,
    created     TEXT NOT NULL,
    record      BLOB NOT NULL,
    exit_code   INTEGER,
    started_at  TEXT,
    finished_at TEXT,
    error       TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX containers_image ON containers (image);

  CREATE TABLE leases (
    id    TEXT NOT NULL PRIMARY KEY,
    pid   INTEGER NOT NULL,
    start TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE lease_items (
    lease TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    item  TEXT NOT NULL,
    PRIMARY KEY (lease, item)
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    // NULL: unknown, as the record was damaged already. The index holds those that a command has to look at because their
    // end is not on record: it does not grow with what is over.
    sql: `
  ALTER TABLE containers ADD COLUMN reference TEXT;
  ALTER TABLE containers ADD COLUMN command TEXT;
  ALTER TABLE containers ADD COLUMN auto_remove INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX containers_unsettled ON containers (id) WHERE exit_code IS NULL;
  `,
    fill: fillContainerColumns,
  },
  {
    // `volume` refers to no row: a volume may have none yet. "*": the container's record is damaged, and it may have any.
    sql: `
  CREATE TABLE volumes (
    name      TEXT NOT NULL PRIMARY KEY,
    created   TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    record    BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE container_volumes (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    volume    TEXT NOT NULL,
    PRIMARY KEY (container, volume)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX container_volumes_volume ON container_volumes (volume);
  `,
    fill: fillContainerVolumes,
  },
  {
    // JSON (container/circumstances.ts): what there is to say of an end besides its status; NULL of most.
    sql: "ALTER TABLE containers ADD COLUMN circumstances TEXT;",
  },
  {
    // Somebody removes it: 1, or 2 with its anonymous volumes. Should he die over it, the next command goes on.
    sql: `
  ALTER TABLE containers ADD COLUMN removal INTEGER;
  CREATE INDEX containers_removal ON containers (id) WHERE removal IS NOT NULL;
  `,
  },
  {
    // Somebody has stopped it since its last start: what the state directory says of that does not outlive the machine.
    sql: "ALTER TABLE containers ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0;",
  },
  {
    // `interface` is the host's; NULL of a network that has none, or none yet. An address is 4 bytes, or 16, in the network's
    // order, so that they sort as numbers do.
    sql: `
  CREATE TABLE networks (
    id        TEXT NOT NULL PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    driver    TEXT NOT NULL,
    created   TEXT NOT NULL,
    interface TEXT UNIQUE,
    record    BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE network_endpoints (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    network   TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    id        TEXT NOT NULL,
    mac       TEXT NOT NULL,
    PRIMARY KEY (container, network)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX network_endpoints_network ON network_endpoints (network);

  CREATE TABLE network_leases (
    network   TEXT NOT NULL,
    address   BLOB NOT NULL,
    container TEXT NOT NULL,
    PRIMARY KEY (network, address),
    FOREIGN KEY (container, network) REFERENCES network_endpoints (container, network) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX network_leases_container ON network_leases (container, network);
  `,
  },
  {
    // The name of what joins them, in the container.
    sql: `ALTER TABLE network_endpoints ADD COLUMN interface TEXT NOT NULL DEFAULT 'eth0'`,
  },
  {
    // 1: what the container's record says of this network is not done yet in the container, which runs. Should he who does it
    // die over it, the next command goes on.
    sql: `
  ALTER TABLE network_endpoints ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX network_endpoints_pending ON network_endpoints (container) WHERE pending = 1;
  `,
  },
  {
    // NULL of one that no port of the host leads to; `target` is the container's address, NULL where its monitor hands on.
    // `pending`: what somebody leases who is just about to publish it, or not to publish it any more. Should he die, it goes.
    sql: `
  CREATE TABLE container_ports (
    container    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    protocol     TEXT NOT NULL,
    port         INTEGER NOT NULL,
    host_address BLOB,
    host_port    INTEGER,
    target       BLOB,
    pending      TEXT
  ) STRICT;
  CREATE INDEX container_ports_container ON container_ports (container);
  CREATE INDEX container_ports_pending ON container_ports (pending) WHERE pending IS NOT NULL;
  CREATE UNIQUE INDEX container_ports_host ON container_ports (protocol, host_port, host_address);
  `,
  },
  {
    // Which containers have which others by names of their own, so that one that is started again is found by those.
    sql: `
  CREATE TABLE container_links (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    target    TEXT NOT NULL,
    PRIMARY KEY (container, target)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX container_links_target ON container_links (target);
  `,
  },
  {
    // Where it may go from there, of one that may not go everywhere: a JSON list.
    sql: `ALTER TABLE network_endpoints ADD COLUMN egress TEXT`,
  },
  {
    // Of a network whose containers do not know each other: to whom one is linked, and the ports of that one, a JSON list.
    sql: `
  CREATE TABLE network_openings (
    container TEXT NOT NULL,
    network   TEXT NOT NULL,
    target    TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    ports     TEXT NOT NULL,
    PRIMARY KEY (container, network, target),
    FOREIGN KEY (container, network) REFERENCES network_endpoints (container, network) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX network_openings_target ON network_openings (target, network);
  `,
  },
  {
    // What its record says too, where those who look for free numbers need not read all records, and for one that is damaged.
    sql: `
  CREATE TABLE container_ids (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    first     INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    PRIMARY KEY (container, kind, first)
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    // What takes a walk through all of a layer to know: who makes maps for a container asks for it.
    sql: `
  CREATE TABLE layer_owners (
    chain    TEXT NOT NULL,
    driver   TEXT NOT NULL,
    uid      INTEGER NOT NULL,
    uid_path TEXT NOT NULL,
    gid      INTEGER NOT NULL,
    gid_path TEXT NOT NULL,
    PRIMARY KEY (chain, driver),
    FOREIGN KEY (chain, driver) REFERENCES layers (chain, driver) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    // Milliseconds since 1970; NULL: never since there is this column.
    sql: "ALTER TABLE images ADD COLUMN tagged INTEGER;",
  },
  {
    // When it was last pulled, made or given a name, or a container was made of it: milliseconds since 1970, and always more than
    // anything before. Beside the image, whose record would be written again each time.
    sql: `
  CREATE TABLE image_uses (
    image TEXT NOT NULL PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    used  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_uses_used ON image_uses (used);
    `,
  },
  {
    // A repository is "docker.io/library/alpine". `image`: the image here that it is, or belongs to alone. `used`: milliseconds
    // since 1970; a blob that no manifest names is kept for a day. `mirrored`: it came from upstream, and can be had again.
    // Of a mirrored tag `checked` says when upstream last led there.
    sql: `
  CREATE TABLE repository_manifests (
    repository    TEXT NOT NULL,
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    size          INTEGER NOT NULL,
    subject       TEXT,
    artifact_type TEXT,
    annotations   TEXT,
    image         TEXT REFERENCES images (id) ON DELETE CASCADE,
    mirrored      INTEGER NOT NULL DEFAULT 0,
    used          INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repository_manifests_subject ON repository_manifests (repository, subject) WHERE subject IS NOT NULL;
  CREATE INDEX repository_manifests_image ON repository_manifests (image) WHERE image IS NOT NULL;

  CREATE TABLE repository_tags (
    repository TEXT NOT NULL,
    tag        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    checked    INTEGER,
    PRIMARY KEY (repository, tag),
    FOREIGN KEY (repository, digest) REFERENCES repository_manifests (repository, digest) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repository_tags_digest ON repository_tags (repository, digest);

  CREATE TABLE repository_references (
    repository TEXT NOT NULL,
    manifest   TEXT NOT NULL,
    target     TEXT NOT NULL,
    size       INTEGER NOT NULL,
    PRIMARY KEY (repository, manifest, target),
    FOREIGN KEY (repository, manifest) REFERENCES repository_manifests (repository, digest) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repository_references_target ON repository_references (repository, target);

  CREATE TABLE repository_blobs (
    repository TEXT NOT NULL,
    digest     TEXT NOT NULL,
    used       INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE repository_uploads (
    id         TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    client     TEXT NOT NULL,
    used       INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repository_uploads_client ON repository_uploads (client);
  `,
  },
  {
    // Layers in the form in which they were sent: the blob of that is not kept, and can be made again (image/recompress.ts).
    sql: `
  CREATE TABLE recompressed_layers (
    layer  TEXT NOT NULL,
    how    TEXT NOT NULL,
    digest TEXT NOT NULL,
    size   INTEGER NOT NULL,
    PRIMARY KEY (layer, how)
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    // Lists of images that are being made. `entry`: JSON, what the list will say of the image; `item`: digest of a blob, or a
    // chainID, that has to stay here for it.
    sql: `
  CREATE TABLE manifest_lists (
    name TEXT PRIMARY KEY
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE manifest_list_entries (
    list      TEXT NOT NULL REFERENCES manifest_lists (name) ON DELETE CASCADE,
    reference TEXT NOT NULL,
    position  INTEGER NOT NULL,
    entry     TEXT NOT NULL,
    PRIMARY KEY (list, reference)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE manifest_list_items (
    list      TEXT NOT NULL,
    reference TEXT NOT NULL,
    item      TEXT NOT NULL,
    PRIMARY KEY (list, reference, item),
    FOREIGN KEY (list, reference) REFERENCES manifest_list_entries (list, reference) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    // `bytes`: what the upload may have come to, which its file has or is about to have. `part`: the manifest came for an index
    // that names it, and goes when no index does any more. Annotations are megabytes long, perhaps: in a table that is searched by
    // its key SQLite would read all of what it passes on its way.
    sql: `
  ALTER TABLE repository_uploads ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE repository_manifests ADD COLUMN part INTEGER NOT NULL DEFAULT 0;

  CREATE TABLE repository_annotations (
    repository  TEXT NOT NULL,
    digest      TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (repository, digest),
    FOREIGN KEY (repository, digest) REFERENCES repository_manifests (repository, digest) ON DELETE CASCADE
  ) STRICT;
  INSERT INTO repository_annotations SELECT repository, digest, annotations FROM repository_manifests
    WHERE annotations IS NOT NULL;
  ALTER TABLE repository_manifests DROP COLUMN annotations;
  `,
  },
];

interface Migration {
  sql: string;
  /** What SQL cannot say. */
  fill?: (sqlite: Sqlite) => void;
}

export const schemaVersion = migrations.length;

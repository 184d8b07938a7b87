/**
 * The embedded image `hello` as an OCI image layout: one plain tar layer that holds the prober. Pure, and reproducible:
 * the same prober gives the same digests, so a rebuilt executable finds its image unpacked already.
 *
 *   oci-layout, index.json ("hello"), blobs/sha256/<layer, config, manifest>        OCI image-spec, image-layout.md
 */

interface Entry {
  path: string;
  mode: number;
  /** Absent for a directory. */
  content?: Uint8Array | string;
}

const passwd = "root:x:0:0:root:/root:/probe\nnobody:x:65534:65534:nobody:/:/probe\n";
const group = "root:x:0:\nnogroup:x:65534:\n";

function entries(probe: Uint8Array): Entry[] {
  return [
    { path: "dev/", mode: 0o755 },
    { path: "etc/", mode: 0o755 },
    { path: "etc/group", mode: 0o644, content: group },
    { path: "etc/passwd", mode: 0o644, content: passwd },
    { path: "probe", mode: 0o755, content: probe },
    { path: "proc/", mode: 0o755 },
    { path: "root/", mode: 0o700 },
    { path: "sys/", mode: 0o755 },
    { path: "tmp/", mode: 0o1777 },
  ];
}

/** Files of the layout by their path within it. `architecture` is OCI's: "amd64" or "arm64". */
export function helloLayout(probe: Uint8Array, architecture: "amd64" | "arm64"): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const add = (content: Uint8Array, mediaType: string) => {
    const hex = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    files.set(`blobs/sha256/${hex}`, content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const layer = add(tar(entries(probe)), "application/vnd.oci.image.layer.v1.tar");
  const config = add(
    json({
      created: epoch,
      architecture,
      os: "linux",
      config: {
        Entrypoint: ["/probe"],
        Env: ["PATH=/"],
        WorkingDir: "/",
        Labels: { "org.opencontainers.image.title": "hello" },
      },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
      history: [{ created: epoch, created_by: "rt build" }],
    }),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = add(
    json({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }),
    manifestType,
  );
  files.set("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  files.set(
    "index.json",
    json({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        {
          ...manifest,
          platform: { os: "linux", architecture },
          annotations: { "org.opencontainers.image.ref.name": "hello" },
        },
      ],
    }),
  );
  return files;
}

/** Not the time of the build: the image must not change with it. */
const epoch = "2025-01-01T00:00:00Z";

const encoder = new TextEncoder();

function json(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

const blockSize = 512;

/** A ustar archive (POSIX 1003.1-2017, pax, "ustar Interchange Format"), all of it root's. */
function tar(members: Entry[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const member of members) {
    const content = typeof member.content === "string" ? encoder.encode(member.content) : member.content;
    blocks.push(header(member, content?.length ?? 0));
    if (content === undefined) continue;
    const padded = new Uint8Array(Math.ceil(content.length / blockSize) * blockSize);
    padded.set(content);
    blocks.push(padded);
  }
  blocks.push(new Uint8Array(2 * blockSize));
  return Buffer.concat(blocks);
}

function header(member: Entry, size: number): Uint8Array {
  const block = new Uint8Array(blockSize);
  const put = (offset: number, text: string) => block.set(encoder.encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, member.path);
  put(100, octal(member.mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(Date.parse(epoch) / 1000, 11));
  put(148, "        ");
  put(156, member.content === undefined ? "5" : "0");
  put(257, "ustar\u000000");
  put(265, "root");
  put(297, "root");
  // The checksum is taken with its own field as blanks.
  put(
    148,
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\u0000 `,
  );
  return block;
}

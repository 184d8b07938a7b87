/**
 * Images that do what no honest image does: a layer of raw tar members, and a configuration of any shape, on top of busybox.
 *
 *   const image = await hostileImage(host(), "dev-is-a-link", { members: [{ name: "dev", type: "2", link: canary.dir }] });
 *   await host().ok(["run", "--rm", image, "true"]);
 *
 * The base holds bin/{busybox,probe}, links to busybox for the applets that tests use, and no directory else: what a mount
 * target is in the image is the test's to say.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestHost } from "../../support/host.ts";
import { LayoutWriter } from "../../support/layout.ts";
import { probeBinary } from "../../support/probe.ts";
import { tool } from "../../support/root.ts";
import { archive, type Member, member } from "../../support/tar.ts";

export interface Hostile {
  /** The upper layer's members; each further list is one more layer above. */
  members?: readonly (Member | Uint8Array)[];
  layers?: readonly (readonly (Member | Uint8Array)[])[];
  /** The image config's `config` member. */
  config?: Record<string, unknown>;
  /** Without the base layer, which then is the test's to bring. */
  bare?: boolean;
}

const applets =
  "sh ls cat grep sleep touch ln mkdir rm mv mount umount id stat chmod chown echo true env mknod sync".split(
    " ",
  );
let base: Promise<Uint8Array> | undefined;

function baseLayer(): Promise<Uint8Array> {
  base ??= probeBinary().then((probe) =>
    archive(
      { name: "bin", type: "5", mode: 0o755 },
      { name: "bin/busybox", mode: 0o755, content: readFileSync(tool("busybox")!) },
      { name: "bin/probe", mode: 0o755, content: readFileSync(probe) },
      ...applets.map((name) => ({ name: `bin/${name}`, type: "2", link: "busybox" })),
    ),
  );
  return base;
}

/** The image's name for `rt run`, once it is in the host's store. */
export async function hostileImage(
  host: Pick<TestHost, "dir" | "ok">,
  name: string,
  hostile: Hostile,
): Promise<string> {
  const dir = join(host.dir, "images", name);
  mkdirSync(dir, { recursive: true });
  const above = [...(hostile.members ? [hostile.members] : []), ...(hostile.layers ?? [])].map((members) =>
    archive(...members),
  );
  const layout = new LayoutWriter(dir);
  const config = { Cmd: ["true"], Env: ["PATH=/bin"], ...hostile.config };
  const layers = hostile.bare ? above : [await baseLayer(), ...above];
  await layout.image("latest", { layers, config, compression: "plain" });
  await layout.close();
  return (await host.ok(["pull", "-q", `oci:${dir}:latest`])).trim();
}

export function directory(name: string, mode = 0o755): Member {
  return { name, type: "5", mode };
}

export function symlink(name: string, link: string): Member {
  return { name, type: "2", link };
}

export function file(name: string, content: string | Uint8Array, mode = 0o644): Member {
  return { name, content, mode };
}

/** A file with extended attributes or with more in its header than ustar holds: pax records before the member itself. */
export function withRecords(
  records: readonly [name: string, value: Uint8Array][],
  entry: Member,
): Uint8Array {
  const lines = records.map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  return Buffer.concat([member({ name: "pax", type: "x", content: Buffer.concat(lines) }), member(entry)]);
}

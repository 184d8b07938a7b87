/**
 * A real image with everything that layers hold, pulled from a real registry by the executable: what a container's root
 * shows is, entry by entry, what skopeo and GNU tar make of the same image.
 */
import { afterAll, describe, expect } from "bun:test";
import { lstatSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { debianLayout, debianNeeds } from "../support/debian.ts";
import { testHost } from "../support/host.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { viewImage } from "../support/snapshot-view.ts";
import { describeTree, treeDifference, unpackWithTar } from "../support/tree.ts";

const { test, beforeAll } = needs({
  ...debianNeeds,
  tools: [...debianNeeds.tools, "docker-registry", "skopeo", "getfattr", "mount"],
});

/** Over an overlay "/" is the container's own directory, as new as the container; its mode and owner are the image's. */
const ownRoot = /^! \/: dir 755 0:0 mtime=\d+ \| dir 755 0:0 mtime=\d+$/;

let dir: string;
let registry: Registry;
let expected: Map<string, string>;

beforeAll(async () => {
  dir = await mkdtemp(join(scratchDirectory(), "rt-tree-"));
  registry = await startRegistry();

  const layout = await debianLayout();
  for (const tag of ["gzip", "zstd", "plain"]) await pushLayout(layout, tag, registry, `debian:${tag}`);

  const fetched = join(dir, "fetched");
  const source = `docker://${registry.address}/debian:gzip`;
  await run([
    "skopeo",
    "--insecure-policy",
    "copy",
    "--quiet",
    "--src-tls-verify=false",
    source,
    `oci:${fetched}:gzip`,
  ]);
  await unpackWithTar(fetched, "gzip", join(dir, "tree"));

  expected = await describeTree(join(dir, "tree"));

  await rm(fetched, { recursive: true });
}, 300_000);

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  if (dir) await rm(dir, { recursive: true, force: true });
});

for (const driver of ["overlay", "copy"]) {
  describe(driver, () => {
    for (const compression of ["gzip", "zstd", "plain"]) {
      test(`${compression}: the tree is GNU tar's, and a container runs in it`, async () => {
        await using host = await testHost();
        host.env.RT_STORAGE_DRIVER = driver;
        const name = `${registry.address}/debian:${compression}`;
        await host.ok(["pull", "-q", name], { timeoutMs: 60_000 });
        await viewImage(host, name, driver, async (root) => {
          const differences = treeDifference(expected, await describeTree(root));
          expect(
            driver === "overlay" ? differences.filter((line) => !ownRoot.test(line)) : differences,
          ).toEqual([]);
          expect(lstatSync(join(root, "srv/sparse")).blocks * 512).toBeLessThan(2 << 20);
        });
        const script =
          "cat /srv/wasfile/file /srv/three; ls -A /srv/opaque /srv/removed-file 2>&1; stat -c '%a %h' /srv/hard/env-of-layer-0";
        expect(await host.ok(["run", "--rm", name, "sh", "-c", script])).toBe(
          "now\nlinked\nls: cannot access '/srv/removed-file': No such file or directory\n/srv/opaque:\nnew\n755 2\n",
        );
      }, 120_000);
    }
  });
}

test("the other driver unpacks what is here from its blobs, without the registry", async () => {
  await using host = await testHost();
  const name = `${registry.address}/debian:gzip`;
  await host.ok(["--storage-driver", "overlay", "pull", "-q", name]);
  const before = registry.log.text.length;
  expect(
    await host.ok(["--storage-driver", "copy", "run", "--rm", "--pull", "never", name, "cat", "/srv/three"]),
  ).toBe("linked\n");
  expect(registry.log.text.slice(before)).not.toContain("GET ");
  expect(await host.ok(["--storage-driver", "copy", "info", "-f", "{{.Driver}}"])).toBe("copy\n");
  expect(await host.ok(["--storage-driver", "overlay", "system", "info", "-f", "{{.Driver}}"])).toBe(
    "overlay\n",
  );
}, 120_000);

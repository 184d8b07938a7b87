/**
 * There and back: a Debian root in which a container changed all that can be changed, committed, pushed into a directory, removed, and
 * pulled from there. What a new container begins with is what that one had, entry by entry.
 */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { storeIsEmpty } from "../cli/image-world.ts";
import { pidOf, running } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { debianLayout, debianNeeds } from "../support/debian.ts";
import { testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { viewContainer, viewImage } from "../support/snapshot-view.ts";
import { describeTree, linkedNames, treeDifference } from "../support/tree.ts";

const { test, beforeAll } = needs({
  ...debianNeeds,
  tools: [...debianNeeds.tools, "getfattr", "mount"],
});

let debian: string;
beforeAll(async () => {
  debian = await debianLayout();
}, 300_000);

const long = "l".repeat(255);

/** By the programs of Debian, as its container's root. */
const changes = `
  umask 022
  useradd -m -s /bin/sh somebody; chfn -f Some somebody; echo hello >/home/somebody/.profile; chown somebody: /home/somebody/.profile
  dpkg-divert --local --rename --divert /usr/bin/nice.own --add /usr/bin/nice; ldconfig
  cd /usr/bin; ln env env-again; ln -s env env-link; touch -h -d @1.5 env-link; chown -h 7:8 env-link; cp -p tac tac-copy; cat tac-copy >tac
  cd /srv; echo more >>hard/one; mv hard/two hard/moved; ln three four; rm hard/env-of-layer-0
  rm -r names attributes; mkdir names; echo new >names/only; mkdir -p opaque-late/old; echo again >opaque-late/old/file
  rm -r modes/private; echo file >modes/private; rm wasdir; mkdir -p wasdir/deep; rm -r wasfile; ln -s nowhere wasfile
  mv metadata moved; mkdir metadata; chmod 3750 metadata; chown 9:10 metadata; touch -d '2001-01-01 00:00:00.000000001Z' metadata moved
  rm devices/null; mkfifo devices/pipe; chown 11:12 devices/pipe; chmod 620 devices/pipe
  truncate -s 40M hole; printf end >>hole; printf x | dd of=sparse bs=1M seek=7 conv=notrunc status=none; touch empty ${long} 'new
line' "$(printf 'not-utf8-\\351')"
  mkdir set; cd set; for mode in 4711 2711 6755 1777 0; do cp /bin/true $mode; chown 3:4 $mode; chmod $mode $mode; done; mkdir 3777 7; chmod 3777 3777
  chmod 0 7; chown 2000000000:2100000000 0; touch -d '1969-07-20 20:17:40.5Z' 0; cp -p /usr/local/bin/setuid-probe .; chmod u-s /usr/local/bin/setuid-probe
  mkdir /listed /listed/below; touch /listed/file /fresh /shorter; cp /bin/true /capable; cp /bin/true /both; ln /both /both-again
`;

/** Entries of user 7 and group 8, as linux/posix_acl_xattr.h has them. */
const acl =
  "0x0200000001000600ffffffff020004000700000004000400ffffffff080006000800000010000600ffffffff20000000ffffffff";

/** What a container has no programs for, and some has no right to. */
const attributes = `
  setcap cap_net_raw,cap_chown+ep capable; setcap cap_net_admin+i both; setcap -r usr/local/bin/capable
  setfattr -n user.note -v hello fresh; setfattr -n user.binary -v 0x00ff0a fresh; setfattr -n user.long -v "$(printf %02000d 7)" listed
  setfattr -n system.posix_acl_access -v ${acl} fresh; setfattr -n system.posix_acl_access -v ${acl} listed
  setfattr -n system.posix_acl_default -v ${acl} listed; setfattr -n system.posix_acl_access -v ${acl} usr/bin/env
  mknod srv/devices/null c 1 5; mknod srv/devices/disk b 8 1; touch listed/inherits; mkdir listed/inherits-too; setfattr -x system.posix_acl_default listed/inherits-too
`;

/** Where a start mounts something, and what it writes. */
const ofStart = /^\/(dev|proc|sys|etc\/(hosts|hostname|resolv\.conf))$/;

/** But for the time of "/", which is that of the container's making. */
async function described(root: string): Promise<Map<string, string>> {
  const lines = linkedNames(await describeTree(root));
  const made = [...lines].filter(([path]) => !ofStart.test(path));
  return new Map(made).set("/", lines.get("/")!.replace(/ mtime=\d+/, ""));
}

for (const driver of ["overlay", "copy"]) {
  test(`${driver}: committed, pushed into a directory, removed and pulled again`, async () => {
    await using host = await testHost();
    host.env.RT_STORAGE_DRIVER = driver;
    await host.ok(["pull", "-q", `oci:${debian}:gzip`], { timeoutMs: 60_000 });
    const had = await changed(driver, host);
    expect(had.size).toBeGreaterThan(5000);
    const store = `oci:${join(host.dir, "out")}:1`;
    await host.ok(["push", "-q", "changed:1", store]);
    await host.ok(["rmi", "-f", "changed:1", "localhost/layout:gzip"]);
    expect(await storeIsEmpty(host)).toEqual([]);
    await host.ok(["pull", "-q", store], { timeoutMs: 60_000 });
    const has = await viewImage(host, "localhost/out:1", driver, described);
    expect(treeDifference(had, has)).toEqual([]);
  }, 180_000);
}

/** The image changed:1, and what its container had. */
async function changed(
  driver: string,
  host: Awaited<ReturnType<typeof testHost>>,
): Promise<Map<string, string>> {
  const image = "localhost/layout:gzip";
  await using container = await running(
    host,
    ["sh", "-euc", `${changes} echo made; exec sleep 1000`],
    ["--init=false"],
    image,
  );
  await container.client.stdout.waitFor("made");
  const root = `/proc/${await pidOf(host, container.name)}/root`;
  await run(["sh", "-euc", attributes], { cwd: root });
  writeFileSync(join(root, "shorter"), "of the host");
  await host.ok(["kill", container.name]);
  await host.ok(["wait", container.name]);
  await host.ok(["commit", container.name, "changed:1"], { timeoutMs: 60_000 });
  return await viewContainer(host, container.id, image, driver, described);
}

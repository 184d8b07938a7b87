/**
 * A Debian root in four layers with everything that real layers hold. As an OCI layout with the tags
 * "gzip", "zstd" and "plain" for the same four layers:
 *
 *   0  debootstrap --variant=minbase
 *   1  additions: setuid, capabilities, xattrs, devices, fifos, hard links (one into layer 0), sparse, names, times
 *   2  whiteouts of files and directories, opaque directories with the mark first and last
 *   3  a directory becomes a symbolic link, a file a directory; a directory's metadata alone changes
 */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { run, runBytes } from "./command.ts";
import { LayoutWriter, tarLayer } from "./layout.ts";
import { outside } from "./outside.ts";
import { probeBinary } from "./probe.ts";
import { fixture } from "./scratch.ts";
import { hardLinkMember, withoutEnd } from "./tar.ts";

const recipe = Bun.file(import.meta.path).text();

export const debianNeeds = { root: true, tools: ["debootstrap", "tar", "setfattr", "setcap"] } as const;

export async function debianLayout(): Promise<string> {
  const suite = await hostSuite();
  const key = `${await recipe}${suite}`;
  const dir = await fixture("debian", key, async (into) => {
    const layers = [
      await base(join(into, "0"), suite),
      await additions(join(into, "1")),
      await removals(join(into, "2")),
    ];
    layers.push(await replacements(join(into, "3")));
    const layout = new LayoutWriter(join(into, "layout"));
    const config = {
      Cmd: ["bash"],
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    };
    for (const compression of ["gzip", "zstd", "plain"] as const) {
      await layout.image(compression, { layers, config, compression });
    }
    await layout.close();
    await run(["rm", "-rf", ...["0", "1", "2", "3"].map((layer) => join(into, layer))]);
  });
  return join(dir, "layout");
}

async function hostSuite(): Promise<string> {
  const release = await Bun.file("/etc/os-release").text();
  return release.match(/^VERSION_CODENAME=(\w+)$/m)?.[1] ?? "bookworm";
}

/** Debian's archive as this host is told to use it. */
async function mirror(): Promise<string> {
  const dir = "/etc/apt/sources.list.d";
  const files = (await readdir(dir))
    .filter((name) => name.startsWith("debian"))
    .map((name) => join(dir, name));
  for (const file of ["/etc/apt/sources.list", ...files]) {
    if (!(await Bun.file(file).exists())) continue;
    const text = await Bun.file(file).text();
    const found = text.match(/^(?:URIs:|deb(?:\s+\[.*\])?)\s+(https?:\S+)/m)?.[1];
    if (found) return found;
  }
  throw new Error(
    "no Debian archive in /etc/apt: the test image is made by debootstrap from the one that is named there",
  );
}

async function base(tree: string, suite: string): Promise<Uint8Array> {
  await run(outside(["debootstrap", "--variant=minbase", suite, tree, await mirror()]));
  await run(["sh", "-c", "rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/*"], { cwd: tree });
  return tarLayer(tree);
}

async function additions(tree: string): Promise<Uint8Array> {
  mkdirSync(join(tree, "usr/local/bin"), { recursive: true });
  await run(["cp", await probeBinary(), join(tree, "usr/local/bin/setuid-probe")]);
  const name = "n".repeat(200);
  await run(["sh", "-euc", additionsScript(name)], { cwd: tree });
  writeFileSync(join(tree, "srv/names", "new\nline"), "");
  writeFileSync(join(tree, "srv/names", "back\\slash"), "");
  writeFileSync(join(tree, "srv/names", "grüße-日本語"), "ü");
  writeFileSync(Buffer.concat([Buffer.from(join(tree, "srv/names/not-utf8-")), Buffer.from([0xe9])]), "");
  await run(["touch", "-h", "-d", "1969-07-20 20:17:40.5Z", join(tree, "srv/times/before-1970")]);
  await run(["touch", "-h", "-d", "2100-01-01 00:00:00.999999999Z", join(tree, "srv/times/far")]);
  await run(["touch", "-d", "2002-03-04 05:06:07.000000001Z", join(tree, "srv/times")]);
  const archive = await tarLayer(tree);
  // GNU tar cannot name a link target that it does not archive.
  const intoLower = hardLinkMember("./srv/hard/env-of-layer-0", "./usr/bin/env");
  return Buffer.concat([withoutEnd(archive), intoLower, new Uint8Array(1024)]);
}

function additionsScript(longName: string): string {
  return `
    umask 022
    cd usr/local/bin
    cp setuid-probe setgid-probe; cp setuid-probe capable
    chmod 4755 setuid-probe; chgrp 42 setgid-probe; chmod 2755 setgid-probe
    setcap cap_net_raw,cap_net_bind_service+ep capable
    cd ../../..; mkdir -p srv/attributes srv/hard srv/devices srv/names srv/times srv/modes srv/opaque/old/deep srv/opaque-late/old
    mkdir -p srv/removed/deep srv/wasdir srv/metadata; cd srv
    echo one > attributes/file; setfattr -n user.note -v hello attributes/file; setfattr -n user.binary -v 0x00ff0a attributes/file
    setfattr -n user.directory -v yes attributes
    mknod devices/null c 1 3; mknod devices/block b 7 0; mknod devices/large c 511 1048575; mkfifo devices/fifo; chmod 622 devices/fifo
    echo linked > hard/one; ln hard/one hard/two; ln hard/one three
    truncate -s 64M sparse; printf start | dd of=sparse conv=notrunc status=none
    printf middle | dd of=sparse bs=1M seek=32 conv=notrunc status=none
    mkdir -p names/${longName}/${longName}; echo deep > names/${longName}/${longName}/file
    ln -s ${longName}/${longName}/file names/long-link; ln -s /absolute/nowhere names/absolute-link
    echo > 'names/with space'; echo > names/-dash; echo > names/.hidden; echo > names/.whiteout-like
    touch times/before-1970 times/far; touch -d '2001-02-03 04:05:06.123456789Z' times/exact
    touch modes/none; chmod 0 modes/none; mkdir modes/private; chmod 700 modes/private; chown 1000:1000 modes/private
    touch modes/large-owner; chown 2000000000:2100000000 modes/large-owner; mkdir modes/sticky; chmod 3777 modes/sticky
    echo old > opaque/old/deep/file; echo old > opaque/file; echo old > opaque-late/old/file
    echo gone > removed-file; echo gone > removed/deep/file; echo was > wasfile; echo was > wasdir/file`;
}

async function removals(tree: string): Promise<Uint8Array> {
  mkdirSync(tree);
  const script = `
    umask 022; mkdir -p srv/opaque srv/opaque-late usr/share etc
    touch srv/opaque/.wh..wh..opq srv/opaque-late/.wh..wh..opq srv/.wh.removed-file srv/.wh.removed usr/share/.wh.doc etc/.wh.issue.net
    echo new > srv/opaque/new; echo new > srv/opaque-late/new`;
  await run(["sh", "-euc", script], { cwd: tree });
  const names = (await run(["find", ".", "-mindepth", "1"], { cwd: tree })).trim().split("\n");
  // By depth, then the late mark after its directory's contents: the mark counts wherever it stands.
  const late = "./srv/opaque-late/.wh..wh..opq";
  const order = [...names.filter((name) => name !== late).sort(), late];
  const list = `${order.join("\n")}\n`;
  return runBytes(["tar", "--format=pax", "--numeric-owner", "--no-recursion", "-T", "-", "-cf", "-"], {
    cwd: tree,
    stdin: list,
  });
}

async function replacements(tree: string): Promise<Uint8Array> {
  mkdirSync(tree);
  const script = `
    umask 022; mkdir -p srv/wasfile srv/metadata; ln -s hard srv/wasdir; echo now > srv/wasfile/file
    chmod 750 srv/metadata; chown 7:8 srv/metadata; touch -d '2003-01-01 00:00:00.25Z' srv/metadata`;
  await run(["sh", "-euc", script], { cwd: tree });
  statSync(join(tree, "srv/wasfile/file"));
  return tarLayer(tree);
}

/** The same archives unpacked by GNU tar and by rt-layer: the trees are equal, entry by entry. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DriverName, workbench } from "../contract/bench.ts";
import { seeded } from "../fuzz/mutate.ts";
import { run, runBytes } from "../support/command.ts";
import { needs } from "../support/root.ts";
import { describeTree, treeDifference } from "../support/tree.ts";

const gated = needs({ root: true, tools: ["tar", "setfattr", "setcap"] });

const formats: [string, string[]][] = [
  ["v7", ["--format=v7"]],
  ["oldgnu", ["--format=oldgnu", "--sparse"]],
  ["gnu", ["--format=gnu", "--sparse"]],
  ["ustar", ["--format=ustar"]],
  ["pax", ["--format=pax", "--xattrs", "--xattrs-include=*"]],
  ["pax, sparse 0.0", ["--format=pax", "--sparse", "--sparse-version=0.0", "--hole-detection=raw"]],
  ["pax, sparse 0.1", ["--format=pax", "--sparse", "--sparse-version=0.1", "--hole-detection=raw"]],
  ["pax, sparse 1.0", ["--format=pax", "--sparse", "--sparse-version=1.0", "--xattrs", "--xattrs-include=*"]],
];

for (const [name, options] of formats) {
  gated.test(`as GNU tar: ${name}`, async () => {
    for (const driver of ["overlay", "copy"] satisfies DriverName[]) {
      await using bench = workbench(driver);
      const [source, expected] = [bench.directory(), bench.directory()];
      // What these formats cannot say is left out: long names, large owners, sub-second times, devices in v7.
      const plain = name === "v7" || name === "ustar";
      await grow(source, { plain, special: name !== "v7" });
      const tar = join(bench.dir, "archive.tar");
      await run(["tar", "--numeric-owner", "--sort=name", ...options, "-C", source, "-cf", tar, "."]);
      const keep = [
        "--numeric-owner",
        "--same-owner",
        "-p",
        "--xattrs",
        "--xattrs-include=*",
        "--delay-directory-restore",
      ];
      await run(["tar", "-C", expected, ...keep, "-xf", tar]);
      const tree = await bench.view(await bench.apply([readFileSync(tar)]));
      const [want, got] = [await describeTree(expected), await describeTree(tree)];
      // A container's root is a new directory; its time is its own.
      for (const each of [want, got]) each.delete("/");
      const difference = treeDifference(want, got);
      expect(difference).toEqual([]);
    }
  });
}

/** A tree with one of everything, and some hundred entries by chance, always the same. */
async function grow(tree: string, { plain, special }: { plain: boolean; special: boolean }): Promise<void> {
  const random = seeded(plain ? 1 : 2);
  const int = (below: number) => Math.floor(random() * below);
  const lines = ["umask 022", "mkdir -p a/b/c x", "echo hard > a/one", "ln a/one a/two", "ln a/one x/three"];
  lines.push("ln -s /etc/passwd a/absolute", "ln -s ../a/b x/relative", "ln -s nowhere dangling");
  lines.push(
    "cp /bin/true a/setuid && chown 3:4 a/setuid && chmod 6755 a/setuid",
    "chmod 1777 x",
    "chmod 2750 a/b",
  );
  lines.push("truncate -s 9M sparse", "printf x | dd of=sparse bs=1M seek=4 conv=notrunc status=none");
  lines.push("truncate -s 3M sparse-grüße");
  lines.push(
    "truncate -s 3M holes",
    "for i in 0 1 2 3 4 5 6 7 8 9 10 11; do printf part$i | dd of=holes bs=200k seek=$i conv=notrunc status=none; done",
  );
  lines.push("truncate -s 1M allhole", ": > empty", "head -c 2000000 /dev/zero | tr '\\0' z > large");
  if (special) lines.push("mknod a/char c 1 3", "mknod a/block b 259 70000", "mkfifo x/fifo");
  if (!plain) {
    const long = "l".repeat(220);
    lines.push(
      `mkdir -p ${long}/${long}`,
      `echo deep > ${long}/${long}/file`,
      `ln -s ${long}/${long}/file long`,
    );
    lines.push(`ln ${long}/${long}/file x/hard-to-long`, "touch owner && chown 3000000000:4000000000 owner");
    lines.push(
      "setfattr -n user.a -v hello a/one && setfattr -n user.b -v 0x00ff0a a/b",
      "cp /bin/true a/cap && setcap cap_net_raw+ep a/cap",
    );
    lines.push("touch -d '1960-01-02 03:04:05.25Z' old && touch -d '2300-01-01 00:00:00.5Z' future");
  }
  for (let index = 0; index < 200; index++) {
    const directory = ["a", "a/b", "a/b/c", "x", "."][int(5)];
    const name = `${directory}/r${index}`;
    lines.push(`head -c ${int(3000)} /bin/true > ${name}`, `chown ${int(70000)}:${int(70000)} ${name}`);
    lines.push(`chmod ${int(0o10000).toString(8)} ${name}`, `touch -d @${int(2e9)} ${name}`);
  }
  lines.push("touch -d @1000000 a a/b a/b/c x .");
  mkdirSync(tree, { recursive: true });
  await runBytes(["sh", "-euc", lines.join("\n")], { cwd: tree });
}

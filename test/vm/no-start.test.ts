/** What keeps rt from running at all on a machine is one line and a power-off there, and never the kernel's panic. */
import { expect } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { needs, tool } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { directory, initramfs, isClean, said } from "./boot.ts";
import { bootQemu, qemuNeeds } from "./qemu.ts";
import { bootUml, umlNeeds } from "./uml.ts";

const uml = needs(umlNeeds);
const withDisk = needs({ ...umlNeeds, tools: [...umlNeeds.tools, "mkfs.ext4"] });
const qemu = needs(qemuNeeds);

/** rt as /init, after a shell has made the machine what it is to be. */
async function after(script: string): Promise<string> {
  return initramfs([
    { path: "bin", directory: true },
    { path: "bin/busybox", file: tool("busybox") ?? "" },
    { path: "proc", directory: true },
    {
      path: "begin",
      text: `#!/bin/busybox sh\nbusybox() { /bin/busybox "$@"; }\nbusybox mount -t proc proc /proc\n${script}\nexec /init`,
    },
  ]);
}

qemu.test("a processor that is too old", async () => {
  const ended = await bootQemu({ initramfs: await initramfs(), cpu: "qemu64", timeoutMs: 110_000 });
  expect(said(ended)).toEqual([
    expect.stringMatching(/^rt: this CPU has no [\w.]+, which rt's JavaScript engine needs/),
    "rt: status 125: power off",
  ]);
  isClean(ended);
});

uml.test("a kernel that lends no memory that it has not got", async () => {
  const strict = "echo 2 >/proc/sys/vm/overcommit_memory; echo 20 >/proc/sys/vm/overcommit_ratio";
  const ended = await bootUml({ initramfs: await after(strict), init: "/begin", memory: "512M" });
  expect(said(ended)).toEqual([
    expect.stringMatching(/^rt: cannot start: the kernel does not lend 320 MB of memory/),
    "rt: status 125: power off",
  ]);
  isClean(ended);
});

/** "$#" is how many there are by now; the kernel's own come and go. */
const soMany = (more: number) => `set -- /proc/[0-9]*; echo $(($# + ${more})) >/proc/sys/kernel/threads-max`;
for (const [what, few, line] of [
  ["the session", "echo 20 >/proc/sys/kernel/threads-max", /^rt: cannot start the session: AGAIN$/],
  [
    "its threads",
    soMany(1),
    // The last: one of the kernel's own went between two of the runtime's, which ends itself at the second.
    /^rt: (cannot start: there is no room for another .*\(EAGAIN\)|cannot start the session: AGAIN|the session was killed by signal 6)/,
  ],
] as const) {
  uml.test(`no room for ${what}`, async () => {
    const boot = async () => bootUml({ initramfs: await after(few), init: "/begin", memory: "512M" });
    let ended = await boot();
    // Threads of the kernel's own that went after they had been counted left their room.
    for (let more = 0; more < 4 && said(ended).at(-1) === "rt: status 0: power off"; more++)
      ended = await boot();
    const end = expect.stringMatching(/^rt: status (125|134): power off$/);
    expect(said(ended)).toEqual([expect.stringMatching(line), end]);
    isClean(ended);
  });
}

withDisk.test("a read-only root without a /proc", async () => {
  const tree = join(await directory(), "bare");
  await mkdir(join(tree, "dev"), { recursive: true });
  await run(["cp", rtBinary, join(tree, "init")]);
  const disk = join(await directory(), "bare.ext4");
  await writeFile(disk, "");
  await run(["truncate", "-s", "200M", disk]);
  await run(["mkfs.ext4", "-q", "-d", tree, disk]);
  const root = ["root=/dev/ubda", "rootfstype=ext4", "rootflags=errors=continue", "ro"];
  const ended = await bootUml({ init: "/init", append: [`ubd0=${disk}`, ...root] });
  expect(said(ended)).toEqual([
    expect.stringMatching(/^rt: cannot start: \/proc is not mounted, and mounting it: /),
  ]);
  isClean(ended);
});

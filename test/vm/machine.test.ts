/** The test bed itself: what it says about a guest that ends well, badly, or not at all, and that nothing stays behind. */
import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { processesMentioning } from "../support/leaks.ts";
import { needs, tool } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { until } from "../support/wait.ts";
import { type InitramfsMember, makeInitramfs } from "./initramfs.ts";
import { bootQemu, qemuNeeds } from "./qemu.ts";
import { bootUml, runInUml, startUml, umlNeeds } from "./uml.ts";

const uml = needs(umlNeeds);
const qemu = needs(qemuNeeds);

let scratch: string;
let initramfs: string;

/** Nearly as large as the executable, so that a length of more than 24 bits is seen. */
const large = new Uint8Array(100 * 1024 * 1024).fill(7);

/** Other tests boot machines at the same time: those of this file have a directory of their own. */
const before = process.env.RT_TEST_SCRATCH;

beforeAll(async () => {
  scratch = await mkdtemp(join(scratchDirectory(), "rt-vm-test-"));
  process.env.RT_TEST_SCRATCH = scratch;
  initramfs = join(scratch, "initramfs");
  const busybox = tool("busybox");
  if (busybox === undefined) return;
  await Bun.write(join(scratch, "large"), large);
  const script = `#!/bin/sh
    busybox mount -t proc proc /proc
    echo "pid $$, kernel $(busybox uname -r), mode $(busybox stat -c '%a %F' /odd), to $(busybox readlink /bin/sh)"
    busybox sha256sum /large
    busybox poweroff -f`;
  const members: InitramfsMember[] = [
    { path: "bin", directory: true },
    { path: "proc", directory: true },
    { path: "bin/busybox", file: busybox },
    { path: "bin/sh", link: "busybox" },
    { path: "odd", text: "x", mode: 0o640 },
    { path: "large", file: join(scratch, "large"), mode: 0o600 },
    { path: "init", text: script.replace(/^ +/gm, "") },
  ];
  await makeInitramfs(initramfs, members);
});

afterAll(async () => {
  delete process.env.RT_TEST_SCRATCH;
  if (before !== undefined) process.env.RT_TEST_SCRATCH = before;
  await rm(scratch, { recursive: true, force: true });
});

const sum = new Bun.CryptoHasher("sha256").update(large).digest("hex");

uml.test("a script's output and status come back, byte for byte", async () => {
  const script = `printf 'one\\ntwo\\r\\n'; echo "$GREETING"; cat $VM_DIR/file; echo back >$VM_DIR/answer; printf end; exit 3`;
  const dir = join(scratch, "shared");
  const ran = await runInUml(script, { dir, files: { file: "a file\n" }, env: { GREETING: "it's" } });
  expect(ran).toEqual({ stdout: "one\ntwo\nit's\na file\nend", code: 3 });
  expect(await Bun.file(join(dir, "answer")).text()).toBe("back\n");
});

uml.test(
  "the guest has cgroup v2 alone, overlay, a kernel of its own, and cannot write to the host's tree",
  async () => {
    const script = `uname -r; grep -c cgroup /proc/mounts; cat /sys/fs/cgroup/cgroup.subtree_control
    grep -o overlay /proc/filesystems; touch /etc/written 2>&1 | grep -o 'Read-only'; id -u; hostname`;
    const { stdout } = await runInUml(script);
    expect(stdout).toMatch(/^6\.1\.\d+\n1\ncpu io memory pids\noverlay\nRead-only\n0\nsecond-kernel\n$/);
  },
);

uml.test("an initramfs is the root, and its /init is pid 1", async () => {
  const { console, code } = await bootUml({ initramfs });
  expect(console).toMatch(/pid 1, kernel 6\.1\.\d+, mode 640 regular file, to busybox\n/);
  expect(console).toContain(`${sum}  /large`);
  expect(code).toBe(0);
});

uml.test(
  "a panic is told with the kernel's words, and as an error where a script should have run",
  async () => {
    const { code, panic } = await bootUml({ init: "/bin/true" });
    expect(panic).toContain("Attempted to kill init!");
    expect(code).not.toBe(0);
    const crash = runInUml("echo before; echo c >/proc/sysrq-trigger");
    expect(crash).rejects.toThrow(
      /the script did not end in the guest \(status \d+\).*before.*Kernel panic/s,
    );
    await crash.catch(() => {});
  },
);

uml.test("a guest can be talked to, and one that is disposed of leaves no process and no file", async () => {
  {
    await using machine = await startUml({ init: "/bin/sh" });
    await machine.console.waitFor("# ", 30_000);
    machine.write("echo $((6 * 7)) is the answer\n");
    await machine.console.waitFor("42 is the answer", 30_000);
    expect(running().length).toBeGreaterThan(1);
  }
  expect(running()).toEqual([]);
  expect(await leftovers()).toEqual([]);
});

uml.test("a guest that hangs is ended, with its console in the error and nothing left", async () => {
  const hung = runInUml("echo waiting; sleep 1000", { timeoutMs: 15_000 });
  expect(hung).rejects.toThrow(/did not end within 15000 ms; its console:\n./);
  await hung.catch(() => {});
  expect(running()).toEqual([]);
  expect(await leftovers()).toEqual([]);
});

uml.test("a machine does not outlive a test process that is killed", async () => {
  const code = `
    const { startUml } = await import(${JSON.stringify(join(import.meta.dir, "uml.ts"))});
    const machine = await startUml({ init: "/bin/sh" });
    await machine.console.waitFor("# ", 30_000);
    console.log("up");`;
  const env = { ...process.env, RT_TEST_SCRATCH: scratch };
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit", env });
  await child.stdout.getReader().read();
  expect(running().length).toBeGreaterThan(1);
  child.kill("SIGKILL");
  await until("the machine's processes to end", () => running().length === 0);
});

qemu.test("Debian's cloud kernel boots an initramfs in software emulation", async () => {
  const { console, code, panic } = await bootQemu({ initramfs });
  expect(console).toMatch(/pid 1, kernel 6\.1\.\S+-cloud-amd64, mode 640 regular file, to busybox\n/);
  expect(console).toContain(`${sum}  /large`);
  expect({ code, panic }).toEqual({ code: 0, panic: undefined });
});

qemu.test("a panic under qemu is told, though it ends with 0", async () => {
  const { panic } = await bootQemu({ initramfs, append: ["rdinit=/bin/nothing", "init=/bin/nothing"] });
  expect(panic).toContain("Kernel panic - not syncing");
});

/** Processes of machines of this file. */
function running(): string[] {
  return processesMentioning(scratch).map(({ pid, command }) => `${pid} ${command}`);
}

/** Directories of machines of this file. */
async function leftovers(): Promise<string[]> {
  return (await readdir(scratch)).filter((name) => name.startsWith("rt-vm-"));
}

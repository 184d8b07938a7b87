/**
 * The third kernel: Debian's cloud kernel in qemu, with an initramfs as its root; a second way to be a real machine's /init.
 * In software emulation, which is the same on every host, it boots in five seconds.
 *
 *   const { console, code } = await bootQemu({ initramfs });
 */
import { mkdir, mkdtemp, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { outside } from "../support/outside.ts";
import { fixture, scratchDirectory } from "../support/scratch.ts";
import type { InitramfsMember } from "./initramfs.ts";
import { type Ended, type Machine, type MachineOptions, startMachine } from "./machine.ts";

/** For needs() of test/support/root.ts. */
export const qemuNeeds = {
  root: true,
  tools: ["qemu-system-x86_64", "apt-get", "apt-cache", "dpkg-deb", "setpriv", "unshare"],
  also: () =>
    process.arch !== "x64"
      ? "an x86-64 machine"
      : kernelPackage() === undefined
        ? `${cloudKernel} in apt's lists (apt-get update)`
        : undefined,
};

const cloudKernel = "linux-image-cloud-amd64";

export interface QemuOptions extends MachineOptions {
  /** A newc archive of initramfs.ts. */
  initramfs: string;
  /** Software emulation by default: a /dev/kvm that opens may still be one in which no ordinary kernel boots. */
  accel?: "tcg" | "kvm";
  /** As qemu's "-nic"; by default there is none. */
  nic?: string;
  /** As qemu's "-cpu"; by default everything that the accelerator has. */
  cpu?: string;
}

export async function startQemu(options: QemuOptions): Promise<Machine> {
  const { kernel } = await cloudKernelFiles();
  const append = ["console=ttyS0", "quiet", "panic=-1", ...(options.append ?? [])];
  return startMachine(
    () => [
      ...["qemu-system-x86_64", "-nodefaults", "-display", "none", "-serial", "stdio", "-monitor", "none"],
      ...[
        "-no-reboot",
        "-nic",
        options.nic ?? "none",
        "-accel",
        options.accel ?? "tcg",
        "-m",
        options.memory ?? "1024M",
      ],
      ...["-cpu", options.cpu ?? "max"],
      ...["-kernel", kernel, "-initrd", options.initramfs, "-append", append.join(" ")],
    ],
    options.timeoutMs,
  );
}

/** Boots, and waits for the end. A panic reboots, which ends qemu with 0 like a poweroff: see `panic`. */
export async function bootQemu(options: QemuOptions): Promise<Ended> {
  await using machine = await startQemu(options);
  return await machine.end();
}

/** Debian's current cloud kernel and its modules' directory: unpacked, not installed, so nothing of /boot changes. */
export async function cloudKernelFiles(): Promise<{ kernel: string; modules: string }> {
  const name = kernelPackage();
  if (name === undefined) throw new Error(`apt knows no ${cloudKernel}: run apt-get update`);
  const release = name.replace("linux-image-", "");
  const dir = await fixture("cloud-kernel", name, async (into) => {
    const download = join(into, "download");
    await mkdir(download);
    await run(outside(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name]), {
      cwd: download,
    });
    await run(["sh", "-c", "dpkg-deb -x ./*.deb tree"], { cwd: download });
    await rename(join(download, "tree/boot", `vmlinuz-${release}`), join(into, "vmlinuz"));
    await rename(join(download, "tree/lib/modules", release), join(into, "modules"));
    await rm(download, { recursive: true });
  });
  return { kernel: join(dir, "vmlinuz"), modules: join(dir, "modules") };
}

/** Modules of that kernel for an initramfs, with those that they need, and depmod's list of them. */
export async function cloudModules(names: readonly string[]): Promise<InitramfsMember[]> {
  const { modules } = await cloudKernelFiles();
  const release = kernelPackage()!.replace("linux-image-", "");
  const base = await mkdtemp(join(scratchDirectory(), "rt-vm-modules-"));
  try {
    await mkdir(join(base, "lib/modules"), { recursive: true });
    await symlink(modules, join(base, "lib/modules", release));
    const lines = (await run(["depmod", "-n", "-b", base, release])).split("\n");
    const listed = lines.filter((line) => /^kernel\/.*:/.test(line));
    const wanted = listed.filter((line) => names.some((name) => line.match(/([^/]+)\.ko:/)?.[1] === name));
    const files = new Set(wanted.flatMap((line) => line.replace(":", "").split(" ").filter(Boolean)));
    const place = `lib/modules/${release}`;
    const directories = new Set(
      [...files, "modules.dep"].flatMap((file) => {
        const parts = `${place}/${file}`.split("/").slice(0, -1);
        return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
      }),
    );
    return [
      ...[...directories].sort().map((path) => ({ path, directory: true as const })),
      { path: `${place}/modules.dep`, text: `${listed.join("\n")}\n` },
      { path: `${place}/modules.builtin`, file: join(modules, "modules.builtin") },
      ...[...files].map((file) => ({ path: `${place}/${file}`, file: join(modules, file) })),
    ];
  } finally {
    await rm(base, { recursive: true });
  }
}

/** The package that Debian's "linux-image-cloud-amd64" stands for today. */
function kernelPackage(): string | undefined {
  const { stdout, exitCode } = Bun.spawnSync(["apt-cache", "depends", cloudKernel], { stderr: "ignore" });
  if (exitCode !== 0) return undefined;
  return stdout.toString().match(/^\s*Depends: (linux-image-[\w.-]+)$/m)?.[1];
}

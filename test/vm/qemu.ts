/**
 * The third kernel: Debian's cloud kernel in qemu, with an initramfs as its root; a second way to be a real machine's /init.
 * In software emulation, which is the same on every host, it boots in five seconds.
 *
 *   const { console, code } = await bootQemu({ initramfs });
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { fixture } from "../support/scratch.ts";
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
  /** As qemu's "-cpu"; by default everything that the accelerator has. */
  cpu?: string;
}

export async function startQemu(options: QemuOptions): Promise<Machine> {
  const { kernel } = await cloudKernelFiles();
  const append = ["console=ttyS0", "quiet", "panic=-1", ...(options.append ?? [])];
  return startMachine(
    () => [
      ...["qemu-system-x86_64", "-nodefaults", "-display", "none", "-serial", "stdio", "-monitor", "none"],
      ...["-no-reboot", "-nic", "none", "-accel", options.accel ?? "tcg", "-m", options.memory ?? "1024M"],
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
    await run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name], { cwd: download });
    await run(["sh", "-c", "dpkg-deb -x ./*.deb tree"], { cwd: download });
    await rename(join(download, "tree/boot", `vmlinuz-${release}`), join(into, "vmlinuz"));
    await rename(join(download, "tree/lib/modules", release), join(into, "modules"));
    await rm(download, { recursive: true });
  });
  return { kernel: join(dir, "vmlinuz"), modules: join(dir, "modules") };
}

/** The package that Debian's "linux-image-cloud-amd64" stands for today. */
function kernelPackage(): string | undefined {
  const { stdout, exitCode } = Bun.spawnSync(["apt-cache", "depends", cloudKernel], { stderr: "ignore" });
  if (exitCode !== 0) return undefined;
  return stdout.toString().match(/^\s*Depends: (linux-image-[\w.-]+)$/m)?.[1];
}

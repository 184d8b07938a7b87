/**
 * User-Mode Linux: Debian's kernel 6.1 as a process, on which only cgroup v2 is mounted. It takes the host's tree as its
 * root and boots in two seconds.
 *
 *   const { stdout, code } = await runInUml("rt run --rm embed:hello cgroup");
 *   const { console, code } = await bootUml({ initramfs });        // an /init of one's own
 *
 * Its limits: one CPU, no cpuset controller, no `inet` family in nf_tables, no system-wide time namespace offsets.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { scratchDirectory } from "../support/scratch.ts";
import { type Ended, type Machine, type MachineOptions, startMachine, tail } from "./machine.ts";

/** For needs() of test/support/root.ts. */
export const umlNeeds = {
  root: true,
  tools: ["linux.uml", "modprobe", "busybox", "setpriv", "unshare"],
} as const;

export interface UmlOptions extends MachineOptions {
  /** A newc archive of initramfs.ts, as the root; otherwise the host's tree is. */
  initramfs?: string;
  /** The first program. "/init" of an initramfs; of the host's tree, one that is not below /dev, and "/bin/sh" by default. */
  init?: string;
  /** May the guest write to the host's tree? Not by default: a test that asks for it writes to this machine's disk. */
  writable?: boolean;
}

export function startUml(options: UmlOptions = {}): Promise<Machine> {
  const root =
    options.initramfs === undefined
      ? [
          ...["root=/dev/root", "rootfstype=hostfs", "rootflags=/", options.writable ? "rw" : "ro"],
          `init=${options.init ?? "/bin/sh"}`,
        ]
      : [`initrd=${options.initramfs}`, `rdinit=${options.init ?? "/init"}`];
  return startMachine(
    (scratch) => [
      ...["linux.uml", `mem=${options.memory ?? "1024M"}`, ...root, "quiet", `uml_dir=${scratch}/uml`],
      ...["con=null", "con0=fd:0,fd:1", ...(options.append ?? [])],
    ],
    options.timeoutMs,
  );
}

/** Boots, and waits for the end: poweroff (code 0), panic (another code, and `panic`) or the timeout (an error). */
export async function bootUml(options: UmlOptions = {}): Promise<Ended> {
  await using machine = await startUml(options);
  return await machine.end();
}

export interface GuestRun {
  /** Standard output and error of the script. */
  stdout: string;
  /** Exit status of the script. */
  code: number;
}

export interface GuestOptions extends Omit<UmlOptions, "initramfs" | "init"> {
  /** A real systemd is the first program, and the script a service of it. */
  systemd?: boolean;
  /** For the script; the guest inherits nothing of the test's environment. */
  env?: Record<string, string>;
  /** Kernel modules beside overlay. */
  modules?: readonly string[];
  /** Files for the guest by name, to be found below $VM_DIR, where it may also leave some. */
  files?: Record<string, string>;
  /** A directory for $VM_DIR that outlives the machine. */
  dir?: string;
  /** Directories of the host that the guest must see even where it has a tmpfs: below /tmp, /run and /dev/shm. */
  visible?: readonly string[];
}

/** For containers with networks. */
export const networkModules = ["veth", "bridge", "br_netfilter", "nf_tables", "nft_masq", "nf_nat"] as const;

/**
 * Runs a shell script as root on the second kernel, with /proc, /sys, cgroup v2 with every controller, and tmpfs on /run,
 * /tmp and /dev/shm; prelude.sh says more. The host's tree is read-only, and $VM_DIR is a directory that both sides see.
 * @throws Error with the console, when the script did not come to its end: a panic, a hang, a guest that does not boot.
 */
export async function runInUml(script: string, options: GuestOptions = {}): Promise<GuestRun> {
  const { env = {}, modules = [], files = {}, dir, visible = [], systemd = false, ...machine } = options;
  const shared = dir ?? (await mkdtemp(join(scratchDirectory(), "rt-vm-shared-")));
  const nonce = crypto.randomUUID();
  try {
    await mkdir(shared, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(shared, name), text);
    // The project's own directory may be out of sight by then.
    await copyFile(join(import.meta.dir, "finish.sh"), join(shared, "finish.sh"));
    const settings = {
      VM_NONCE: nonce,
      VM_INIT: systemd ? "systemd" : "",
      VM_MODULES: ["overlay", ...modules].join(" "),
      VM_VISIBLE: visible.map((path) => `${path}\n`).join(""),
      ...env,
    };
    await writeFile(join(shared, "script.sh"), script);
    await writeFile(join(shared, "settings.sh"), Object.entries(settings).map(assignment).join(""));
    const init = resolve(import.meta.dir, "prelude.sh");
    const ended = await bootUml({
      ...machine,
      init,
      append: [`VM_SHARED=${shared}`, ...(machine.append ?? [])],
    });
    return parse(ended, nonce);
  } finally {
    if (dir === undefined) await rm(shared, { recursive: true, force: true });
  }
}

function assignment([name, value]: [string, string]): string {
  return `export ${name}='${value.replaceAll("'", "'\\''")}'\n`;
}

function parse({ console, code, panic }: Ended, nonce: string): GuestRun {
  const found = console.match(
    new RegExp(`^vm-begin ${nonce}\\n(?<stdout>.*)\\nvm-end ${nonce} (?<code>\\d+)$`, "ms"),
  );
  if (found === null || code !== 0 || panic !== undefined) {
    throw new Error(`the script did not end in the guest (status ${code}); ${tail(console)}`);
  }
  return { stdout: found.groups?.stdout ?? "", code: Number(found.groups?.code) };
}

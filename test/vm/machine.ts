/**
 * A virtual machine as a process of the test: its console, its end, and the promise that nothing of it stays behind.
 * Kernels for it: uml.ts (User-Mode Linux) and qemu.ts.
 *
 *   await using machine = await startUml({ init: "/bin/sh" });
 *   await machine.console.waitFor("# ");
 *   machine.write("poweroff -f\n");
 *   const { code } = await machine.end();
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { scratchDirectory } from "../support/scratch.ts";
import { Transcript } from "../support/wait.ts";

export interface Ended {
  /** Everything that the guest wrote to its console, with "\n" at the ends of lines. */
  console: string;
  /** Exit status of the process that was the machine: 0 after the guest's poweroff, also of qemu after a reboot. */
  code: number;
  /** The line in which the guest's kernel says that it panicked. */
  panic?: string;
}

export interface Machine extends AsyncDisposable {
  /** What the guest has written so far. Lines end as its terminal ends them, which may be "\r\n". */
  readonly console: Transcript;
  /** Types on the guest's console. */
  write(text: string): void;
  /** Waits for the end. @throws Error with the console's tail, if the machine was still running after `timeoutMs`. */
  end(): Promise<Ended>;
}

/** What uml.ts and qemu.ts have in common. */
export interface MachineOptions {
  /** As the kernels' "mem=" and qemu's "-m" write it; 1024M by default. */
  memory?: string;
  /** Further words for the kernel's command line. */
  append?: readonly string[];
  /** After which the machine is ended and `end` throws; three minutes by default. */
  timeoutMs?: number;
}

/** Who runs a virtual machine ends with it: as pid 1 of a pid namespace, which the kernel clears when it dies. */
const contained = [
  ...["setpriv", "--pdeathsig", "KILL"],
  ...["unshare", "--pid", "--fork", "--kill-child=KILL"],
  // Not the machine itself as pid 1: that one gets no signal that it sends to itself, and User-Mode Linux sends some.
  ...["sh", "-c", '"$@"; exit $?', "machine"],
];

/**
 * Starts `command(scratch)`, where scratch is a directory that goes when the machine ends. TMPDIR is that directory.
 * The process gets a session of its own: a User-Mode Linux that panics sends SIGTERM to its whole process group.
 */
export async function startMachine(
  command: (scratch: string) => readonly string[],
  timeoutMs = 180_000,
): Promise<Machine> {
  const scratch = await mkdtemp(join(scratchDirectory(), "rt-vm-"));
  const child = Bun.spawn([...contained, ...command(scratch)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
    env: { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", HOME: scratch, TMPDIR: scratch },
  });
  const console = new Transcript();
  const errors = new Transcript();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  // The pipes close when the last process of the machine is gone, and not before.
  const gone = Promise.all([child.exited, console.drain(child.stdout), errors.drain(child.stderr)]).finally(
    async () => {
      clearTimeout(timer);
      await rm(scratch, { recursive: true, force: true });
    },
  );
  return {
    console,
    write(text) {
      child.stdin.write(text);
      child.stdin.flush();
    },
    async end() {
      const [code] = await gone;
      const text = console.text.replaceAll("\r\n", "\n");
      if (late) throw new Error(`the machine did not end within ${timeoutMs} ms; ${tail(text, errors.text)}`);
      const panic = text.match(/^.*Kernel panic - not syncing.*$/m)?.[0];
      return { console: text, code, ...(panic !== undefined && { panic }) };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** The end of what a machine said, for an error's text. */
export function tail(console: string, errors = ""): string {
  const said = errors.trim() === "" ? "" : `\n---- and the process said:\n${errors.trim().slice(-1000)}`;
  return `its console:\n${console.slice(-4000)}${said}`;
}

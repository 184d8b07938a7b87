/** What the scripts for Node.js share: the engine that DOCKER_HOST names, and an image of busybox that is its own. */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const socketPath = process.env.DOCKER_HOST.replace(/^unix:\/\//, "");
export const image = "rt-clients/busybox:1";

/** A tar archive of a root file system with a static busybox in it. */
export function rootArchive() {
  const directory = mkdtempSync(join(tmpdir(), "rt-clients-"));
  try {
    chmodSync(directory, 0o755);
    for (const name of ["bin", "tmp", "etc", "proc", "sys", "dev"]) mkdirSync(join(directory, name));
    copyFileSync(process.env.RT_CLIENTS_BUSYBOX ?? "/bin/busybox", join(directory, "bin/busybox"));
    const words = ["sh", "cat", "echo", "sleep", "ls", "true", "false", "nc", "httpd", "wget", "id", "tty", "stty", "head", "touch", "mkdir", "rm", "env", "hostname", "kill", "awk", "grep", "printf", "seq"];
    for (const word of words) symlinkSync("busybox", join(directory, "bin", word));
    return execFileSync("tar", ["-C", directory, "-c", "."], { maxBuffer: 64 << 20 });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @param holds until it is true */
export async function until(what, holds) {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`it took too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

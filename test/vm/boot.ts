/**
 * Machines whose /init is rt: what they are booted from, and how what they said is read.
 *
 *   const ended = await bootUml({ initramfs: await configured(container("web", "echo up")) });
 *   expect(said(ended)).toEqual(["web | up", "rt: status 0: power off"]);
 *   isClean(ended);
 */
import { afterAll, expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { tool } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { type InitramfsMember, makeInitramfs } from "./initramfs.ts";
import type { Ended } from "./machine.ts";

let scratch: Promise<string> | undefined;
afterAll(async () => {
  if (scratch) await rm(await scratch, { recursive: true, force: true });
  scratch = undefined;
});

/** A directory of this test file's own. */
export function directory(): Promise<string> {
  scratch ??= mkdtemp(join(scratchDirectory(), "rt-vm-init-"));
  return scratch;
}

let archives = 0;

/** An initramfs of rt as /init and `more`. */
export async function initramfs(more: readonly InitramfsMember[] = [], init = rtBinary): Promise<string> {
  const file = join(await directory(), `initramfs-${archives++}`);
  await makeInitramfs(file, [{ path: "init", file: init }, ...more]);
  return file;
}

/** The busybox image in /images/box.tar, and a configuration. */
export async function configured(toml: string, more: readonly InitramfsMember[] = []): Promise<string> {
  const box = join(await directory(), "box.tar");
  if (!(await Bun.file(box).exists())) await run(["tar", "-C", await busyboxLayout(), "-cf", box, "."]);
  return initramfs([
    { path: "images", directory: true },
    { path: "images/box.tar", file: box },
    { path: "etc", directory: true },
    { path: "etc/rt", directory: true },
    { path: "etc/rt/init.toml", text: toml },
    ...more,
  ]);
}

export function container(name: string, script: string, more = ""): string {
  return `[[container]]\nname = "${name}"\nimage = "oci-archive:/images/box.tar"\ncommand = ["sh", "-c", '''${script}''']\n${more}\n`;
}

/** What was said on the console from the first word of ours on, but for what this kernel cannot have. */
export function said({ console }: Ended): string[] {
  const lines = console.split("\n").map((line) => line.trimEnd());
  return lines.filter((line) => /^(rt:|[a-z]+ \| )/.test(line) && !line.startsWith(withoutNetwork));
}

/** How the containers are told that are in no network, as the kernel has none for them. */
export const withoutNetwork = "rt: no network for ";

export function isClean(ended: Ended): void {
  expect(ended.panic).toBe(undefined);
  expect(ended.code).toBe(0);
}

/**
 * Starts rt as process 1, after `before`, beside a script that waits until the container "web" says that it is up. Of what
 * rt mounts it sees nothing but by way of /proc/1/root, as for `rt` itself.
 */
export function beside(script: string, before = ""): InitramfsMember[] {
  const init = `#!/bin/busybox sh
    busybox() { /bin/busybox "$@"; }
    rt() { busybox chroot /proc/1/root /init "$@"; }
    ${before}
    (until test -e /data/up; do busybox sleep 0.05; done; ${script}) &
    exec /init "$@"`;
  return [
    { path: "bin", directory: true },
    { path: "bin/busybox", file: tool("busybox") ?? "" },
    { path: "dev/null", device: "char", major: 1, minor: 3 },
    { path: "begin", text: init.replace(/^ +/gm, "") },
  ];
}

/** A container that says that it is up, on the console and in /data, and does `end` when it is stopped. */
export function web(end: string, more = ""): string {
  return container(
    "web",
    `trap '${end}' TERM; echo up; touch /data/up; while :; do sleep 0.05; done`,
    `args = ["-v", "/data:/data"]\n${more}`,
  );
}

/** By name: what stands behind the line "= NAME", but for what `web` says meanwhile. */
export function answers(console: string): Map<string, string[]> {
  const all = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of console.split("\n").map((each) => each.trimEnd())) {
    const name = /^= (.*)$/.exec(line)?.[1];
    if (line.startsWith("web | ")) continue;
    if (name === undefined) current.push(line);
    else {
      current = [];
      all.set(name, current);
    }
  }
  return all;
}

/** The stage as root of an ordinary user's namespace: what it may not do there is done another way, or left out. */
import { expect } from "bun:test";
import { mkdtempSync, rmdirSync } from "node:fs";
import { oneLine } from "../cli/world.ts";
import { run } from "../support/command.ts";
import { type OrdinaryUser, ordinaryUser } from "../support/ordinary-user.ts";
import { facts, factsNamed } from "../support/probe.ts";
import { needs } from "../support/root.ts";

const { test } = needs({ root: true, tools: ["newuidmap", "setpriv"] });

function probe(user: OrdinaryUser, flags: readonly string[], ...command: string[]) {
  const network = flags.includes("--network") ? [] : ["--network", "none"];
  return user.ok(["run", "--rm", "-q", ...network, ...flags, "embed:hello", ...command]);
}

test("a container of his has every file system, node and setting that root's has", async () => {
  await using user = await ordinaryUser();
  const mounts = factsNamed(await probe(user, [], "mounts"), "mount").map((line) =>
    line.split(" ").slice(0, 2).join(" "),
  );
  for (const wanted of [
    "/proc proc",
    "/dev tmpfs",
    "/sys sysfs",
    "/dev/pts devpts",
    "/dev/mqueue mqueue",
    "/dev/shm tmpfs",
  ])
    expect(mounts).toContain(wanted);
  const nodes = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
  expect(factsNamed(await probe(user, [], "stat", ...nodes), "rdev")).toEqual([
    "1:3",
    "1:5",
    "1:7",
    "1:8",
    "1:9",
    "5:0",
  ]);
  expect(await probe(user, [], "sysctl", "net.ipv4.ping_group_range")).toContain("0\t65536");
  expect(facts((await probe(user, ["-t"], "tty")).replaceAll("\r", "")).get("controlling")).toBe("ok");
  expect(facts(await probe(user, ["-u", "1000:1000"], "ids")).get("euid")).toBe("1000");
  const privileged = facts(await probe(user, ["--privileged"], "caps"));
  expect(privileged.get("CapEff")).toBe(privileged.get("CapBnd")!);
});

test("the host's network, processes and queues are shown by binds of the host's file systems", async () => {
  await using user = await ordinaryUser();
  expect(await probe(user, ["--network", "host"], "ls", "/sys/class/net")).toContain(" lo");
  expect(await probe(user, ["--pid", "host"], "ls", "/proc")).toMatch(/ 1$/m);
  // The kernel shows nobody what a mount of the host's hides: with one in it, it is bound as a whole.
  const within = mkdtempSync("/dev/shm/rt-test-within-");
  await run(["mount", "-t", "tmpfs", "tmpfs", within]);
  try {
    const mounts = factsNamed(await probe(user, ["--ipc", "host"], "mounts"), "mount");
    const shown = mounts.filter((line) => line.startsWith("/dev/shm ") || line.startsWith(`${within} `));
    expect(shown).toHaveLength(2);
    for (const line of shown) expect(line).toContain("nosuid,nodev,noexec");
  } finally {
    await run(["umount", within]);
    rmdirSync(within);
  }
  const written = await user.rt([
    "run",
    "--rm",
    "-q",
    "--network",
    "host",
    "embed:hello",
    "write",
    "/sys/kernel/profiling",
    "0",
  ]);
  expect(written.code).toBe(1);
});

test("who is nobody in his namespace is told in one line; with one number alone there is root", async () => {
  await using user = await ordinaryUser({ subordinates: false });
  expect(facts(await probe(user, [], "ids")).get("uid_map")).toBe(`0 ${user.uid} 1`);
  expect(facts((await probe(user, ["-t"], "tty")).replaceAll("\r", "")).get("controlling")).toBe("ok");
  const { stderr, code } = await user.rt([
    "run",
    "--rm",
    "-q",
    "--network",
    "none",
    "-u",
    "1000",
    "embed:hello",
    "ids",
  ]);
  expect(code).toBe(125);
  expect(oneLine(stderr.replace(/^rt: warning.*\n/gm, ""))).toContain(`uid_map is 0 ${user.uid} 1`);
});

test("a container of his can have a user namespace of its own", async () => {
  await using user = await ordinaryUser();
  const maps = ["--uidmap", "0:1:1000", "--uidmap", "1000:0:1"];
  const ids = await probe(user, maps, "ids");
  expect(factsNamed(ids, "uid_map")).toEqual(["0 1 1000", "1000 0 1"]);
  expect(facts(ids).get("euid")).toBe("0");
});

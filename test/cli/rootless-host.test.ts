/** A host that does not give an ordinary user what he needs: one line when he runs something, and rt system check. */
import { expect } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { withoutUserNamespaces } from "../support/no-user-namespaces.ts";
import { type OrdinaryUser, ordinaryUser, subordinateCount } from "../support/ordinary-user.ts";
import { needs, tool } from "../support/root.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true, tools: ["newuidmap", "setpriv", "unshare"] });

/** In a mount namespace where `script` has changed the host; as root, before the command becomes the user's. */
function changed(script: string): string[] {
  return ["unshare", "--mount", "sh", "-ec", `${script}\nexec "$@"`, "-"];
}

/** Over all of /etc: a mount on the file itself ends when somebody replaces that, as other tests do. */
function replaced(user: OrdinaryUser, path: "/etc/subuid", text: string): string[] {
  const directory = join(user.dir, "etc");
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeFileSync(join(directory, basename(path)), text, { mode: 0o644 });
  return changed(`mount -t overlay none -o lowerdir=${directory}:/etc /etc`);
}

async function check(user: OrdinaryUser, front: readonly string[] = []) {
  const { stdout, stderr, code } = await user.rt(["system", "check"], { front });
  const lines = stdout.split("\n").slice(0, -1);
  return { hosts: lines.filter((line) => line.startsWith("host ")), lines, stderr, code };
}

/** The map that a command gets, or its one line. */
async function mapOf(user: OrdinaryUser, front: readonly string[]) {
  const { stdout, stderr, code } = await user.rt(["unshare", "cat", "/proc/self/uid_map"], { front });
  const map = stdout.trim().split(/\s+/).map(Number);
  return { map: stdout === "" ? [] : map, line: stderr === "" ? "" : oneLine(stderr), code };
}

const alone =
  "(until then all files of your containers are yours, and programs in them cannot change their user)";

test("a host that has all: hints at most", async () => {
  await using user = await ordinaryUser();
  const { hosts, lines, stderr, code } = await check(user);
  expect([hosts, stderr, code, lines.at(-1)]).toEqual([[], "", 0, "all is as it was written"]);
  for (const line of lines.slice(0, -1)) expect(line).toMatch(/^hint [^:]+: .+: .+$/);
  expect(lines.filter((line) => line.includes("/etc/sub"))).toEqual([]);
});

test("no newuidmap", async () => {
  await using user = await ordinaryUser();
  const front = changed(`mount --bind /dev/null ${tool("newuidmap")}`);
  expect(await mapOf(user, front)).toEqual({
    map: [0, user.uid, 1],
    line: `there is no newuidmap here, which lends you more ids than your own: install uidmap (shadow-utils) ${alone}`,
    code: 0,
  });
  expect((await check(user, front)).lines).toContain(
    "hint newuidmap: is not installed: you have no ids but your own: install uidmap (shadow-utils, shadow)",
  );
});

test("newuidmap without its rights", async () => {
  await using user = await ordinaryUser();
  const plain = join(user.dir, "plain");
  copyFileSync(tool("newuidmap")!, plain);
  chmodSync(plain, 0o755);
  const front = changed(`mount --bind ${plain} ${tool("newuidmap")}`);
  const { line, code } = await mapOf(user, front);
  expect(line).toMatch(
    /^\/usr\/bin\/newuidmap does not lend you the ids of \/etc\/subuid: newuidmap: .+: rt system check/,
  );
  expect(code).toBe(125);
  expect(user.processes()).toEqual([]);
  const { lines, stderr } = await check(user, front);
  expect(lines).toContain(
    "hint /usr/bin/newuidmap: has lost its rights, as it seems (no set-user-ID bit): " +
      "sudo chown root /usr/bin/newuidmap; sudo chmod u+s /usr/bin/newuidmap",
  );
  expect(oneLine(stderr)).toBe(line);
});

test("nonsense in /etc/subuid: his own line is told, others' are theirs", async () => {
  await using user = await ordinaryUser();
  const own = `${user.name}:${user.firstSubordinate}:${subordinateCount}\n`;
  for (const nonsense of ["x", "100000", "1:2:3", "-5:10", "4294967295:2", "1:0", "0x10:5"]) {
    const front = replaced(user, "/etc/subuid", `root:0:1\n${user.name}:${nonsense}\n`);
    const { line, code } = await mapOf(user, front);
    expect([line, code]).toEqual([
      `/etc/subuid: line 2: "${user.name}:${nonsense}" is not NAME:FIRST:COUNT, with numbers up to 4294967294`,
      125,
    ]);
    expect(user.processes()).toEqual([]);
    const { hosts } = await check(user, front);
    expect(hosts).toEqual([
      `host /etc/subuid, line 2: "${user.name}:${nonsense}" is not NAME:FIRST:COUNT: correct it`,
    ]);
  }
  const front = replaced(user, "/etc/subuid", `other:\u001b[31m\n\u0000:::\n${own}`);
  expect(await mapOf(user, front)).toMatchObject({ line: "", code: 0 });
  const { hosts, lines, code } = await check(user, front);
  expect([hosts, code]).toEqual([[], 0]);
  expect(lines.filter((line) => line.startsWith("hint /etc/subuid, line"))).toHaveLength(2);
  expect(lines.join("")).not.toMatch(/\p{Cc}/u);
}, 240_000);

test("ids that are another's too, and too few of them", async () => {
  await using user = await ordinaryUser();
  const first = user.firstSubordinate!;
  const front = replaced(user, "/etc/subuid", `${user.name}:${first}:1000\nother:${first + 999}:1\n`);
  const { hosts, lines, code } = await check(user, front);
  expect([hosts, code]).toEqual([
    [
      `host /etc/subuid, line 1: your ids are other's too (line 2), who may touch your containers' files: give one of you others`,
    ],
    1,
  ]);
  expect(
    lines.some((line) => line.startsWith("hint /etc/subuid: you have 1000 subordinate uids, and images")),
  ).toBe(true);
});

test("no user namespaces: by their number, by Debian's sysctl, by Ubuntu's AppArmor, by what is around", async () => {
  await using user = await ordinaryUser();
  await using place = await withoutUserNamespaces();
  const phrase = "an ordinary user's containers need a user namespace, and";
  const { hosts, stderr, code } = await check(user, place.front);
  expect(hosts).toEqual([
    "host user.max_user_namespaces: there may be no user namespaces: sudo sysctl -w user.max_user_namespaces=28633",
  ]);
  expect([oneLine(stderr), code]).toEqual([
    `${phrase} they are switched off by user.max_user_namespaces: sudo sysctl -w user.max_user_namespaces=28633 (ENOSPC)`,
    125,
  ]);
  // In a chroot the kernel makes none, whatever these files say: it is what they would do.
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const chrooted = (name: string, value: string) => {
    const root = join(user.dir, "chroot");
    return changed(`
      mkdir -p ${root}; mount --rbind / ${root}
      mount -t tmpfs none ${root}/proc/sys/kernel; mkdir ${root}/proc/sys/kernel/random
      echo ${boot} > ${root}/proc/sys/kernel/random/boot_id; echo ${value} > ${root}/proc/sys/kernel/${name}
      set -- chroot ${root} "$@"`);
  };
  for (const [name, value, words, problem] of [
    [
      "unprivileged_userns_clone",
      "0",
      "they are switched off by kernel.unprivileged_userns_clone: sudo sysctl -w kernel.unprivileged_userns_clone=1 (EPERM)",
      "host kernel.unprivileged_userns_clone: only root may have user namespaces: ",
    ],
    [
      "apparmor_restrict_unprivileged_userns",
      "1",
      "AppArmor lets programs have one by their profile only: give rt's one with",
      "host kernel.apparmor_restrict_unprivileged_userns: AppArmor keeps user namespaces for programs with a profile",
    ],
    ["none", "0", "the kernel refuses it: a container, a chroot or a security module", ""],
  ] as const) {
    const front = chrooted(name, value);
    const { line, code } = await mapOf(user, front);
    expect([name, line, code]).toEqual([name, expect.stringContaining(`${phrase} ${words}`), 125]);
    const found = await check(user, front);
    expect([name, found.hosts]).toEqual([name, problem === "" ? [] : [expect.stringContaining(problem)]]);
  }
}, 240_000);

test("a place that is read-only", async () => {
  await using user = await ordinaryUser();
  const front = changed(`mount --bind ${user.home} ${user.home}; mount -o remount,ro,bind ${user.home}`);
  const { stderr, code } = await user.rt(["run", "--rm", "--network", "none", "embed:hello"], { front });
  expect([oneLine(stderr), code]).toEqual([expect.stringMatching(/read-only file system/i), 125]);
  const { hosts } = await check(user, front);
  expect(hosts).toEqual([
    `host ${user.home}/.local/share/rt: cannot be written in ${user.home}: ` +
      "rt --root DIRECTORY, RT_ROOT or XDG_DATA_HOME on a disk of this host",
  ]);
});

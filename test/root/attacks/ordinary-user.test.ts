/**
 * What the other files of this directory try in containers of root's, in those of an ordinary user, and in those with a user namespace of
 * their own: numbers that the map does not have, user databases that are read for the map, what one user has of another's.
 */
import { afterAll, describe, expect } from "bun:test";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busyboxHost, image, oneLine } from "../../cli/world.ts";
import type { TestHost } from "../../support/host.ts";
import { busyboxLayout } from "../../support/images.ts";
import { type OrdinaryUser, ordinaryUser } from "../../support/ordinary-user.ts";
import { needs } from "../../support/root.ts";
import type { RtResult } from "../../support/rt.ts";
import { until } from "../../support/wait.ts";
import { directory, file, hostileImage, symlink } from "./hostile.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "setpriv", "newuidmap"] });

let user: OrdinaryUser;
let other: OrdinaryUser;
let host: TestHost;

beforeAll(async () => {
  [user, other, host] = await Promise.all([
    ordinaryUser(),
    ordinaryUser({ subordinates: false }),
    busyboxHost(),
  ]);
  const layout = join(user.dir, "layout");
  cpSync(await busyboxLayout(), layout, { recursive: true, dereference: true });
  await user.ok(["pull", "-q", `oci:${layout}`]);
}, 120_000);

afterAll(async () => {
  await user?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
});

interface Way {
  name: string;
  engine: () => Pick<TestHost, "rt" | "ok" | "dir">;
  flags: string[];
  /** How many numbers the map has. */
  size: number;
}

const ways: Way[] = [
  { name: "an ordinary user", engine: () => user, flags: [], size: 65_537 },
  { name: "--userns auto", engine: () => host, flags: ["--userns", "auto:size=4096"], size: 4096 },
];

function holderOf(who: OrdinaryUser): number {
  return who.processes().find(({ command }) => command === "rt-holder")!.pid;
}

const offline = ["--network", "none"];
/** Without a look at the databases, which would be the program's own trouble. */
const whose = ["stat", "-L", "-c", "%u", "/proc/self"];
const run = ({ engine, flags }: Way, more: string[], from: string, ...command: string[]): Promise<RtResult> =>
  engine().rt(["run", "--rm", ...offline, ...flags, ...more, from, ...command]);
const start = ({ engine, flags }: Way, name: string, from = image) =>
  engine().ok(["run", "-d", "--name", name, ...offline, ...flags, from, "sleep", "1000"]);

describe.each(ways)("$name", (way) => {
  test("numbers of users: the map's last is exact, those beyond and those that would wrap are an error in one line", async () => {
    await start(way, "numbers");
    const last = `${way.size - 1}`;
    expect((await run(way, ["-u", last], image, "id", "-u")).stdout).toBe(`${last}\n`);
    expect((await way.engine().rt(["exec", "-u", last, "numbers", "id", "-u"])).stdout).toBe(`${last}\n`);
    for (const bad of [
      `${way.size}`,
      `0:${way.size}`,
      "2147483648",
      "4294967295",
      "4294967296",
      "18446744073709551616",
      "-1",
    ]) {
      const tried = [
        await run(way, [`--user=${bad}`], image, "id", "-u"),
        await way.engine().rt(["exec", `--user=${bad}`, "numbers", "id", "-u"]),
      ];
      for (const { stdout, stderr, code } of tried) {
        expect({ bad, stdout, code: code !== 0 }).toEqual({ bad, stdout: "", code: true });
        oneLine(stderr);
      }
    }
    await way.engine().ok(["rm", "-f", "numbers"]);
  });

  test("user databases that are no files, or lead out, neither hang nor tell of the host", async () => {
    const huge = Buffer.alloc(11 << 20, "x:x:1:1:::\n");
    const odd = {
      fifo: [directory("etc"), { name: "etc/passwd", type: "6" }, { name: "etc/group", type: "6" }],
      out: [
        directory("etc"),
        symlink("etc/passwd", "/proc/1/environ"),
        symlink("etc/group", "../../../../etc/shadow"),
      ],
      huge: [directory("etc"), file("etc/passwd", huge), file("etc/group", huge)],
      number: [directory("etc"), file("etc/passwd", "4294967296:x:7:7:::\n0x10:x:8:8:::\n")],
    };
    for (const [kind, members] of Object.entries(odd)) {
      const from = await hostileImage(way.engine(), `databases-${kind}-${way.size}`, { members });
      const plain = await run(way, [], from, ...whose);
      expect({ kind, code: plain.code, stdout: plain.stdout }).toEqual({ kind, code: 0, stdout: "0\n" });
      const named = await run(way, ["-u", kind === "number" ? "4294967296" : "somebody"], from, ...whose);
      expect({ kind, code: named.code, stdout: named.stdout }).toEqual({ kind, code: 125, stdout: "" });
    }
  });

  test("no capability is inherited or ambient, no descriptor but three, a keyring of its own, and no group but its own", async () => {
    await start(way, "inside");
    const script =
      "grep -E '^Cap(Inh|Amb):' /proc/self/status | grep -vc 0000000000000000; ls /proc/self/fd | wc -l";
    // One more is the directory that ls has open.
    expect((await run(way, [], image, "sh", "-c", script)).stdout.trim().split("\n")).toEqual(["0", "4"]);
    expect((await run(way, [], image, "/proc/self/exe")).code).not.toBe(0);
    expect((await run(way, ["-w", "/proc/self/fd/7"], image, "true")).code).not.toBe(0);
    await way.engine().ok(["rm", "-f", "inside"]);
  });
});

test("nobody else walks a user's store and state, be he root of a namespace of his own", async () => {
  expect((await other.rt(["unshare", "true"])).code).toBe(0);
  const places = [join(user.home, ".local/share/rt"), join(user.runtime, "rt")];
  for (const place of places) {
    expect(statSync(place).mode & 0o077).toBe(0);
    for (const command of [
      ["ls", place],
      [other.binary, "unshare", "ls", place],
    ]) {
      const { stdout, code } = await other.run(command);
      expect({ stdout, code: code !== 0 }).toEqual({ stdout: "", code: true });
    }
  }
});

test("another user's holder is not joined, whatever the variables say", async () => {
  await user.ok(["ps", "-q"]);
  const holder = holderOf(user);
  const namespace = readlinkSync(`/proc/${holder}/ns/user`);
  const env = {
    XDG_RUNTIME_DIR: user.runtime,
    RT_HOLDER: `${holder}`,
    RT_ROOTLESS: `${user.uid}:${user.gid}`,
  };
  const { stdout } = await other.rt(["unshare", "readlink", "/proc/self/ns/user"], {
    env: { ...other.env, ...env },
  });
  expect(stdout).not.toContain(namespace);
  const { code } = await other.run(["nsenter", `--user=/proc/${holder}/ns/user`, "true"]);
  expect(code).not.toBe(0);
});

test("a user's maps name nobody but him and his ids, and with one number nobody's groups are dropped", async () => {
  const of = async (who: OrdinaryUser, name: string) => {
    await who.ok(["ps", "-q"]);
    return readFileSync(`/proc/${holderOf(who)}/${name}`, "utf8")
      .trim()
      .split(/\s+/);
  };
  const own = [`${user.uid}`, "1", "1", `${user.firstSubordinate}`, "65536"];
  expect(await of(user, "uid_map")).toEqual(["0", ...own]);
  expect(await of(user, "gid_map")).toEqual(["0", ...own]);
  expect(await of(other, "uid_map")).toEqual(["0", `${other.uid}`, "1"]);
  expect(await of(other, "setgroups")).toEqual(["deny"]);
  for (const map of ["0:70000:10", "0:4294967295:1", "0:0:4294967295", "0:100000:65536"]) {
    const { stderr, code } = await user.rt(["run", "--rm", ...offline, "--uidmap", map, image, "true"]);
    expect({ map, code }).toEqual({ map, code: 125 });
    oneLine(stderr);
  }
});

test("a file of the host's that the user may not read is closed to his containers' root", async () => {
  const secret = join(user.dir, "secret");
  mkdirSync(secret);
  writeFileSync(join(secret, "file"), "root's");
  chmodSync(join(secret, "file"), 0o600);
  const { stdout, code } = await user.rt([
    "run",
    "--rm",
    ...offline,
    "-v",
    `${secret}:/s`,
    image,
    "cat",
    "/s/file",
  ]);
  expect({ stdout, code: code !== 0 }).toEqual({ stdout: "", code: true });
});

test("two containers with namespaces of their own: neither has the other's files or processes", async () => {
  const flags = [...offline, "--userns", "auto"];
  const shared = join(host.dir, "shared");
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  await host.ok([
    "run",
    "-d",
    "--name",
    "one",
    ...flags,
    "-v",
    `${shared}:/s`,
    image,
    "sh",
    "-c",
    "umask 077; echo mine >/s/one; sleep 1000",
  ]);
  await until(
    "its file is there",
    () => readdirSync(shared).includes("one") && readFileSync(join(shared, "one"), "utf8") !== "",
  );
  const pid = (await host.ok(["inspect", "-f", "{{.State.Pid}}", "one"])).trim();
  const script = `cat /s/one; rm -f /s/one; kill -9 ${pid}; cat /proc/${pid}/environ; echo tried`;
  const { stdout } = await host.rt([
    "run",
    "--rm",
    ...flags,
    "--pid",
    "host",
    "-v",
    `${shared}:/s`,
    image,
    "sh",
    "-c",
    script,
  ]);
  expect(stdout).toBe("tried\n");
  expect(await host.ok(["inspect", "-f", "{{.State.Status}}", "one"])).toBe("running\n");
  expect(readFileSync(join(shared, "one"), "utf8")).toBe("mine\n");
  await host.ok(["rm", "-f", "one"]);
});

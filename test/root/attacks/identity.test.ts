/**
 * Who the program is: capabilities (CVE-2022-24769, CVE-2022-29162), supplementary groups (CVE-2022-36109, CVE-2022-2989),
 * numbers of users that wrap (CVE-2024-40635), user databases that are no files (CVE-2024-9676), lines injected into files
 * of ours (CVE-2022-4318), the caller's environment (CVE-2026-57231), keyrings, descriptors, and what the image says of itself.
 */
import { expect } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { run } from "../../support/command.ts";
import { facts, factsNamed, probeBinary } from "../../support/probe.ts";
import type { Member } from "../../support/tar.ts";
import { patience } from "../../support/wait.ts";
import { directory, file, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests(["getfattr"]);

const none = "0000000000000000 none";

/** CapInh, CapPrm, CapEff and CapAmb as `probe caps` prints them. */
function sets(output: string): (string | undefined)[] {
  const found = facts(output.replaceAll("\r", ""));
  return ["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => found.get(name));
}

async function refused(args: readonly string[], code = 125): Promise<string> {
  const result = await host().rt(args, { timeoutMs: 10_000 });
  expect([args, result.code, result.stdout]).toEqual([args, code, ""]);
  return oneLine(result.stderr);
}

for (const flags of [
  [],
  ["--cap-add", "NET_ADMIN"],
  ["--cap-add", "ALL"],
  ["--privileged"],
  ["-t"],
  ["--init"],
]) {
  test(`nothing is inheritable or ambient, in run and in exec ${flags.join(" ")}`, async () => {
    const root = sets(await host().ok(["run", "--rm", ...flags, image, "probe", "caps"]));
    expect([root[0], root[3]]).toEqual([none, none]);
    expect(root[2]).not.toBe(none);
    const user = await host().ok(["run", "--rm", "-u", "app", ...flags, image, "probe", "caps"]);
    expect(sets(user)).toEqual([none, none, none, none]);
    await using container = await running(host(), ["sleep", "1000"], flags);
    const inside = sets(await host().ok(["exec", container.name, "probe", "caps"]));
    expect(inside).toEqual(root);
    for (const more of [[], ["--privileged"]]) {
      const args = ["exec", ...more, "-u", "1000:1000", container.name, "probe", "caps"];
      const { 0: inheritable, 3: ambient } = sets(await host().ok(args));
      expect([inheritable, ambient]).toEqual([none, none]);
    }
  });
}

test("a file that denies a group is denied to its members, whether the group is the first or another", async () => {
  const secret = { name: "bin/secret", mode: 0o705, gid: 50, content: "#!/bin/sh\necho open\n" };
  const denying = await hostileImage(host(), "denies-group", {
    members: [
      directory("etc"),
      file("etc/passwd", "app:x:1000:1000::/:/bin/sh\nother:x:1001:1001::/:/bin/sh\nfirst:x:1002:50::/:\n"),
      file("etc/group", "audio:x:29:app\napp:x:1000:\nstaff:x:50:other,app\nmore:x:60:app\n"),
      secret,
    ],
  });
  for (const user of ["app", "1000", "first", "1002", "1001", "7:50", "7:staff"]) {
    const { code } = await host().rt(["run", "--rm", "-u", user, denying, "cat", "/bin/secret"]);
    expect([user, code]).toEqual([user, 1]);
  }
  await using container = await running(host(), ["sleep", "1000"], [], denying);
  for (const user of ["app", "1000", "first", "1002", "1001", "7:50", "7:staff"]) {
    const { code } = await host().rt(["exec", "-u", user, container.name, "cat", "/bin/secret"]);
    expect([user, code]).toEqual([user, 1]);
  }
  expect(await host().ok(["exec", "-u", "7:7", container.name, "secret"])).toBe("open\n");
  const added = ["run", "--rm", "-u", "7:7", "--group-add", "staff", denying, "cat", "/bin/secret"];
  expect((await host().rt(added)).code).toBe(1);
  // For all others it is open: it is the group that is in the way.
  expect(await host().ok(["run", "--rm", "-u", "7:7", denying, "secret"])).toBe("open\n");
  expect(await host().ok(["run", "--rm", "-u", "app:app", denying, "secret"])).toBe("open\n");
});

test("the list has the primary group, and each of the user's once", async () => {
  const groups = async (user: string, ...flags: string[]) =>
    facts(await host().ok(["run", "--rm", "-u", user, ...flags, image, "probe", "ids"])).get("groups");
  expect(await groups("app")).toBe("29 50 1000");
  expect(await groups("1000")).toBe("29 50 1000");
  expect(await groups("root")).toBe("0 50");
  expect(await groups("app:staff")).toBe("50");
  expect(await groups("4242")).toBe("0");
  expect(await groups("4242:4243")).toBe("4243");
  expect(await groups("app", "--group-add", "staff", "--group-add", "77")).toBe("29 50 77 1000");
  await using container = await running(host());
  const id = await host().ok(["exec", "-u", "app", container.name, "id"]);
  expect(id).toBe("uid=1000(app) gid=1000(app) groups=29(audio),50(staff),1000(app)\n");
});

const tooLarge = [
  "4294967295",
  "4294967296",
  "4294967297",
  "-1",
  "-0x1",
  "18446744073709551616",
  "1:-1",
  "1:4294967295",
];

test("numbers of users are exact or an error, from the command line", async () => {
  await using container = await running(host());
  for (const uid of ["2147483647", "2147483648", "4294967294"]) {
    const wanted = { uid, euid: uid, suid: uid, gid: uid, egid: uid };
    for (const args of [
      ["run", "--rm", "-u", `${uid}:${uid}`, image],
      ["exec", "-u", `${uid}:${uid}`, container.name],
    ]) {
      const ids = facts(await host().ok([...args, "probe", "ids"]));
      expect(Object.fromEntries(Object.keys(wanted).map((key) => [key, ids.get(key)]))).toEqual(wanted);
    }
  }
  for (const user of tooLarge) {
    await refused(["run", "--rm", "-u", user, image, "probe", "ids"]);
    const { code, stdout } = await host().rt(["exec", "-u", user, container.name, "probe", "ids"]);
    expect([user, stdout, code === 0]).toEqual([user, "", false]);
  }
});

test("numbers of users are exact or an error, from the image", async () => {
  for (const [index, user] of ["2147483648", "4294967294", ...tooLarge].entries()) {
    const numbered = await hostileImage(host(), `user-${index}`, { config: { User: user } });
    const args = ["run", "--rm", numbered, "probe", "ids"];
    if (tooLarge.includes(user)) await refused(args);
    else expect(facts(await host().ok(args)).get("uid")).toBe(user);
  }
});

test("a number is a number, even if a user or a group is so named", async () => {
  const named = await hostileImage(host(), "named-numbers", {
    members: [
      directory("etc"),
      file(
        "etc/passwd",
        "4294967296:x:0:0::/:\n1000:x:0:0::/:\n-1:x:0:0::/:\nwrapped:x:4294967296:0::/:\nminus:x:-1:0::/:\nlast:x:4294967295:0::/:\n",
      ),
      file("etc/group", "1000:x:0:\n4294967296:x:0:\nwrapped:x:4294967296:\n"),
    ],
  });
  for (const user of ["4294967296", "-1", "wrapped", "minus", "last", "1:4294967296", "1:wrapped"])
    await refused(["run", "--rm", "-u", user, named, "probe", "ids"]);
  await using container = await running(host(), ["sleep", "1000"], [], named);
  for (const user of ["4294967296", "-1", "wrapped", "minus", "last", "1:4294967296", "1:wrapped"])
    await refused(["exec", "-u", user, container.name, "probe", "ids"]);
  for (const args of [
    ["run", "--rm", "-u", "1000:1000", named],
    ["exec", "-u", "1000:1000", container.name],
  ]) {
    const ids = facts(await host().ok([...args, "probe", "ids"]));
    expect([ids.get("uid"), ids.get("gid"), ids.get("groups")]).toEqual(["1000", "1000", "1000"]);
  }
});

/** What an image, or a container that prepares the next exec, can put in place of a user database. */
const oddDatabases = (name: string): [kind: string, member: Member, said: RegExp | undefined][] => [
  ["fifo", { name, type: "6" }, /is not a regular file/],
  ["directory", directory(name), /is not a regular file/],
  ["device", { name, type: "3", device: { major: 1, minor: 5 } }, /cannot be opened/],
  ["link to a device", symlink(name, "/dev/zero"), /is not a regular file/],
  ["link to a directory", symlink(name, "../etc"), /is not a regular file/],
  ["link to itself", symlink(name, name.slice("etc/".length)), undefined],
  ["magic link", symlink(name, "/proc/self/fd/0"), undefined],
  ["proc", symlink(name, "/proc/self/environ"), /is not a regular file/],
  ["large", file(name, Buffer.alloc(20 * 1024 * 1024, "app:x:0:0::/:\n")), /is larger than 10 MiB/],
];

for (const name of ["etc/passwd", "etc/group"]) {
  test(`an /${name} that is no file is an error where a name is looked up in it, and a warning elsewhere`, async () => {
    const unnamed = [[], ["-u", "0"], ["-u", "5:7"], ["-u", "1000"]];
    const named =
      name === "etc/passwd"
        ? [
            ["-u", "app"],
            ["-u", "root"],
          ]
        : [
            ["-u", "5:app"],
            ["--group-add", "app"],
          ];
    for (const [kind, member, said] of oddDatabases(name)) {
      const odd = await hostileImage(host(), `${name.replace("/", "-")}-${kind}`, {
        members: [directory("etc"), member],
      });
      for (const user of named) {
        const line = await refused(["run", "--rm", ...user, odd, "probe", "ids"]);
        expect([kind, line]).toEqual([kind, expect.stringMatching(said ?? /no matching entries/)]);
        expect(line).not.toContain("of the image");
      }
      for (const user of unnamed) {
        const { stdout, stderr, code } = await host().rt(["run", "--rm", ...user, odd, "probe", "ids"]);
        const uid = user[1]?.split(":")[0] ?? "0";
        expect([kind, user, facts(stdout).get("uid"), code]).toEqual([kind, user, uid, 0]);
        if (said === undefined) expect(stderr).toBe("");
        else expect(oneLine(stderr)).toMatch(said);
      }
    }
  }, 240_000);
}

test("a container that made its user databases into something else can be entered by number", async () => {
  await using container = await running(host(), ["sleep", "1000"]);
  await host().ok([
    "exec",
    container.name,
    "sh",
    "-c",
    "rm /etc/passwd /etc/group; mkdir /etc/passwd /etc/group",
  ]);
  for (const user of [[], ["-u", "0"], ["-u", "5:7"]]) {
    const { stdout, stderr, code } = await host().rt(["exec", ...user, container.name, "probe", "ids"]);
    expect([user, facts(stdout).get("uid"), code]).toEqual([user, user[1]?.split(":")[0] ?? "0", 0]);
    for (const file of ["/etc/passwd", "/etc/group"])
      expect(stderr).toContain(`${file} is not a regular file`);
  }
  const line = await refused(["exec", "-u", "app", container.name, "probe", "ids"]);
  expect(line).toContain("/etc/passwd is not a regular file");
});

test("whatever a container puts in place of its user databases, an exec ends, and reads nothing of the host", async () => {
  const places = "/etc/passwd /etc/group";
  const ways = {
    "a fifo": `for f in ${places}; do busybox mkfifo $f; done`,
    "a link to a fifo": `busybox mkfifo /f; for f in ${places}; do ln -s /f $f; done`,
    "a link without an end": `for f in ${places}; do ln -s /dev/zero $f; done`,
    "a magic link": `for f in ${places}; do ln -s /proc/1/root/../../../$f $f; done`,
    "a link to itself": `for f in ${places}; do ln -s $f $f; done`,
    "a large file": `for f in ${places}; do busybox truncate -s 4G $f; done`,
  };
  for (const [way, script] of Object.entries(ways)) {
    await using container = await running(host());
    await host().ok(["exec", container.name, "sh", "-c", `rm ${places}; ${script}`]);
    for (const user of ["0", "5:7"]) {
      const args = ["exec", "-u", user, container.name, "probe", "ids"];
      const { stdout, code } = await host().rt(args, { timeoutMs: 10_000 * patience });
      expect([way, facts(stdout).get("uid"), code]).toEqual([way, user.split(":")[0], 0]);
    }
    // The host has one.
    for (const user of ["root", "app", "5:daemon"])
      await refused(["exec", "-u", user, container.name, "probe", "ids"]);
  }
}, 240_000);

test("a user database that is a link is read beneath the root; one that leads to nothing is none", async () => {
  const canary = await plantCanary(host().dir, "canary-passwd");
  writeFileSync(join(host().dir, "taken"), "app:x:0:0::/:\nstaff:x:0:\n");
  const users = async (name: string, links: { passwd: string; group: string }, user: string) => {
    const members = [
      ...["etc", "usr", "usr/share"].map((path) => directory(path)),
      file("usr/share/passwd", "app:x:1234:77::/home:/bin/sh\n"),
      file("usr/share/group", "staff:x:55:app\n"),
      symlink("etc/passwd", links.passwd),
      symlink("etc/group", links.group),
    ];
    const linked = await hostileImage(host(), `linked-${name}`, { members });
    return host().rt(["run", "--rm", "-u", user, linked, "probe", "ids"]);
  };
  const ids = ({ stdout }: { stdout: string }) =>
    ["uid", "gid", "groups"].map((key) => facts(stdout).get(key));
  for (const [name, links] of [
    ["absolute", { passwd: "/usr/share/passwd", group: "/usr/share/group" }],
    ["relative", { passwd: "../usr/share/passwd", group: "../usr/share/group" }],
    ["up", { passwd: "../../../usr/share/passwd", group: "../../../usr/share/group" }],
  ] as const) {
    expect([name, ...ids(await users(name, links, "app"))]).toEqual([name, "1234", "77", "55 77"]);
  }
  for (const [name, target] of [
    ["dangling", "/usr/share/none"],
    ["absolute-out", join(host().dir, "taken")],
    ["relative-out", `../../../../..${canary.file}`],
  ] as const) {
    const links = { passwd: target, group: target };
    const { code, stderr } = await users(name, links, "app");
    expect([name, code]).toEqual([name, 125]);
    expect(oneLine(stderr)).toContain("unable to find user app");
    expect([name, ...ids(await users(name, links, "1000"))]).toEqual([name, "1000", "0", "0"]);
  }
  await canary.check();
}, 240_000);

test("600,000 lines of /etc/group: read in a moment, and more groups than the kernel takes are an error", async () => {
  const crowd = (count: number) =>
    Array.from({ length: count }, (_, gid) => `g${gid}:x:${gid + 1}:app\n`).join("");
  const passwd = file("etc/passwd", "app:x:1000:1000::/:/bin/sh\n");
  const others = `${"x:x:9:none\n".repeat(600_000)}last:x:77:app\n`;
  for (const [name, group, wanted] of [
    ["many-lines", others, 0],
    ["many-groups", crowd(60_000), 0],
    ["too-many-groups", crowd(600_000).slice(0, 9 << 20), 125],
  ] as const) {
    const image = await hostileImage(host(), name, {
      members: [directory("etc"), passwd, file("etc/group", Buffer.from(group))],
    });
    const started = performance.now();
    const { code, stdout, stderr } = await host().rt(["run", "--rm", "-u", "app", image, "probe", "ids"]);
    expect([name, code]).toEqual([name, wanted]);
    expect(performance.now() - started).toBeLessThan(4000 * patience);
    if (name === "many-lines") expect(facts(stdout).get("groups")).toBe("77 1000");
    if (wanted !== 0) expect(oneLine(stderr)).toContain("app is in more than 65536 groups of /etc/group");
  }
}, 120_000);

test("what is injected into our files by options is an error in one line", async () => {
  const before = readdirSync(join(host().state, "containers"));
  for (const flags of [
    ["-h", "a\nb"],
    ["-h", "a b"],
    ["-h", "a:b"],
    ["-h", "../x"],
    ["--add-host", "x:1.2.3.4\n6.6.6.6 evil"],
    ["--add-host", "x\n6.6.6.6 evil:1.2.3.4"],
    ["--add-host", "x y:1.2.3.4"],
    ["--add-host", "x#:not-an-address"],
    ["--add-host", "x\r:1.2.3.4"],
    ["--dns", "1.2.3.4\nsearch evil"],
    ["--dns", "1.2.3.4 5.6.7.8"],
    ["--dns", "name"],
    ["-l", "a\nb=c"],
    ["-l", "a=b\nc"],
    ["-l", "=c"],
    ["--annotation", "a\nb=c"],
    ["-e", "A\nB=c"],
    ["-e", "=c"],
    ["--name", "a\nb"],
    ["--name", "../a"],
    ["-w", "relative\nx"],
  ])
    await refused(["run", "--rm", ...flags, image, "true"]);
  expect(readdirSync(join(host().state, "containers"))).toEqual(before);
});

test("what is injected into an exec is an error in one line, and so is what a file of variables holds", async () => {
  await using container = await running(host());
  const envFile = join(host().dir, "exec-env");
  for (const flags of [
    ["-e", "A\nB=c"],
    ["-e", "=c"],
    ["-w", "relative\nx"],
    ["-u", "root\nroot"],
    ["-u", "0:0:0"],
    ["-u", "../../etc/passwd"],
    ["--env-file", envFile],
  ]) {
    writeFileSync(envFile, "A=b\0c\n");
    const { stdout, stderr, code } = await host().rt(["exec", ...flags, container.name, "env"]);
    expect([flags, stdout, code]).toEqual([flags, "", 125]);
    oneLine(stderr);
  }
  // A value may have them, as everywhere.
  expect(await host().ok(["exec", "-e", "A=b\nC=d", container.name, "sh", "-c", 'echo "$A:$C"'])).toBe(
    "b\nC=d:\n",
  );
});

test("a NUL from a file or an image ends no text early", async () => {
  const envFile = join(host().dir, "env");
  for (const text of ["A=b\0c\n", "A\0B=c\n"]) {
    writeFileSync(envFile, text);
    await refused(["run", "--rm", "--env-file", envFile, image, "true"]);
  }
  const labels = join(host().dir, "labels");
  writeFileSync(labels, "a=b\0c\n");
  await refused(["run", "--rm", "--label-file", labels, image, "true"]);
  for (const [index, config] of [
    { Env: ["PATH=/bin", "A=b\0c"] },
    { Env: ["PATH=/bin", "A\0B=c"] },
    { Cmd: ["probe", "args", "a\0b"] },
    { Entrypoint: ["/bin/probe\0x"] },
    { WorkingDir: "/tmp\0/x" },
    { User: "0\0x" },
    { Volumes: { "/data\0/x": {} } },
  ].entries()) {
    const nul = hostileImage(host(), `nul-${index}`, { config });
    await expect(nul).rejects.toThrow(/ended with 125:\nrt: .* contains a NUL character\n$/);
  }
});

test("a bare KEY of the image is not the caller's", async () => {
  const bare = await hostileImage(host(), "bare-env", { config: { Env: ["PATH=/bin", "SECRET", "HOME"] } });
  const env = { SECRET: "the caller's", OTHER: "also" };
  const args = ["run", "--rm", bare, "probe", "env"];
  const { stdout, code } = await host().rt(args, { env });
  expect(code).toBe(0);
  expect(stdout).not.toContain("the caller's");
  expect(stdout).not.toContain(host().dir);
  // On the command line it is the caller who says so.
  const asked = await host().ok(["run", "--rm", "-e", "SECRET", bare, "probe", "env"], { env });
  expect(factsNamed(asked, "env")).toContain("SECRET=the caller's");
  await using container = await running(host());
  expect(await host().ok(["exec", container.name, "probe", "env"], { env })).not.toContain("the caller's");
});

test("each container has a session keyring of its own, and /proc/keys says nothing", async () => {
  const ring = (output: string) => facts(output).get("keyring")?.split(" ")[0];
  const ours = ring(await run([await probeBinary(), "process"]));
  // The filter of system calls lets nobody ask for a keyring.
  const open = ["--security-opt", "seccomp=unconfined"];
  const probe = ["run", "--rm", ...open, image, "probe", "process"];
  const runs = [1, 2].map(async () => ring(await host().ok(probe)));
  await using container = await running(host(), ["sleep", "1000"], open);
  const inside = ring(await host().ok(["exec", container.name, "probe", "process"]));
  const all = [ours, inside, ...(await Promise.all(runs))];
  expect(all.slice(1)).not.toContain(undefined);
  expect(new Set(all).size).toBe(4);
  expect(await host().ok(["exec", container.name, "cat", "/proc/keys"])).toBe("");
  expect(await host().ok(["run", "--rm", "--privileged", image, "cat", "/proc/keys"])).not.toBe("");
});

test("what the image says of itself is contained or refused", async () => {
  const canary = await plantCanary(host().dir, "canary-config");
  const up = `/../../../../../../../..${canary.dir}`;
  for (const [index, [config, wanted]] of (
    [
      [{ Volumes: { [up]: {} } }, undefined],
      [{ Volumes: { [`${canary.dir}/sub`]: {} }, WorkingDir: `${canary.dir}/sub` }, undefined],
      [{ Volumes: { "/../../etc": {} } }, 0],
      [{ Volumes: { "relative/../../x": {} } }, 0],
      [{ Volumes: { "": {} } }, 0],
      [{ Volumes: { "/": {} } }, 125],
      [{ Volumes: { "/proc/x": {} } }, 125],
      [{ Volumes: { "/sys/fs/cgroup/x": {} } }, 125],
      [{ Volumes: { "/data:/etc:rw": {} } }, 0],
      [{ WorkingDir: up }, 0],
      [{ WorkingDir: "../../.." }, 0],
      [{ WorkingDir: "/proc/1/root/x" }, undefined],
      [{ User: "../../etc/passwd" }, 125],
      [{ User: "root\nroot" }, 125],
      [{ User: "no:such:user" }, 125],
      [{ StopSignal: "SIGNOTHING" }, undefined],
      [{ Labels: { "a\nb": "c\nd", "rt.internal": "x", "io.rt.monitor": "/bin/sh" } }, 0],
    ] as const
  ).entries()) {
    const hostile = await hostileImage(host(), `config-${index}`, { config });
    const { code, stderr } = await host().rt(["run", "--rm", hostile, "sh", "-c", "touch here; true"]);
    if (wanted !== undefined) expect([config, code]).toEqual([config, wanted]);
    if (code !== 0) expect([config, code, oneLine(stderr) !== ""]).toEqual([config, 125, true]);
    await canary.check();
  }
});

test("the program has descriptors 0-2 and no others", async () => {
  const numbers = (output: string) =>
    factsNamed(output.replaceAll("\r", ""), "fd").map((line) => Number.parseInt(line, 10));
  await using container = await running(host());
  for (const flags of [[], ["-i"], ["-t"], ["--init"], ["-t", "--init"], ["--privileged"], ["-u", "app"]]) {
    const output = await host().ok(["run", "--rm", ...flags, image, "probe", "fds"], { stdin: "" });
    expect([flags, numbers(output)]).toEqual([flags, [0, 1, 2]]);
  }
  for (const flags of [[], ["-i"], ["-t"], ["--privileged"], ["-u", "app"]]) {
    const output = await host().ok(["exec", ...flags, container.name, "probe", "fds"], { stdin: "" });
    expect([flags, numbers(output)]).toEqual([flags, [0, 1, 2]]);
  }
});

/** Profiles of system calls: one's own, the configuration's, ours; what is in force of them, and what is wrong with them. */
import { expect } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

let counter = 0;

/** A file with this text, or a profile that lets everything through but what `rules` say. */
function file(content: string | readonly object[]): string {
  const path = join(host().dir, `profile-${counter++}.json`);
  const text =
    typeof content === "string"
      ? content
      : JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: content }, undefined, 2);
  writeFileSync(path, text);
  return path;
}

const noMkdir = [
  { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28, includes: { minKernel: "3.0" } },
  { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL", includes: { caps: ["CAP_SYS_ADMIN"] } },
];

const refused = "mkdir: can't create directory '/tmp/x': No space left on device\n";
const mode = ["sed", "-n", "s/^Seccomp:\\t//p", "/proc/self/status"];

test("one's own profile is in force for run, exec and health checks, after a restart, and whatever becomes of its file", async () => {
  const path = file(noMkdir);
  const own = [
    "--security-opt",
    `seccomp=${path}`,
    "--health-cmd",
    "mkdir /tmp/x",
    "--health-interval",
    "100ms",
  ];
  const script = "mkdir /tmp/x; exec sleep 1000";
  await using container = await running(host(), ["sh", "-c", script], own);
  const { name } = container;
  expect(await host().rt(["exec", name, "mkdir", "/tmp/x"])).toMatchObject({ stderr: refused, code: 1 });
  const config = JSON.parse(
    readFileSync(join(host().state, "containers", container.id, "config.json"), "utf8"),
  );
  expect(config.linux.seccomp.syscalls).toEqual([
    { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 },
  ]);
  writeFileSync(path, "{}");
  await host().ok(["restart", "-t", "0", name]);
  expect(await host().rt(["exec", name, "mkdir", "/tmp/x"])).toMatchObject({ stderr: refused, code: 1 });
  const { Log } = JSON.parse(await host().ok(["inspect", "-f", "{{json .State.Health}}", name]));
  for (const { Output } of Log) expect(Output).toBe(refused);
  expect((await host().rt(["logs", name])).stderr).toBe(refused + refused);
});

test("documents have a profile as Docker's do, and it is shown and given back", async () => {
  const path = file(noMkdir);
  await host().ok(["create", "--name", "own", "--security-opt", `seccomp=${path}`, image]);
  const [option] = JSON.parse(await host().ok(["inspect", "-f", "{{json .HostConfig.SecurityOpt}}", "own"]));
  expect(option).toBe(`seccomp=${JSON.stringify(JSON.parse(readFileSync(path, "utf8")))}`);
  const shown = JSON.parse(await host().ok(["system", "seccomp", "--json", "own"]));
  expect(shown.syscalls).toEqual([{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }]);
  expect(await host().ok(["system", "seccomp", "own"])).toContain("\nENOSPC:\n  mkdir mkdirat\n");
  await host().ok(["rm", "own"]);
});

test("names that no system call has are shown as that, not as what is refused", async () => {
  const path = file([
    { names: ["mkdri", "mkdir"], action: "SCMP_ACT_ERRNO" },
    { names: ["socketcall", "mkdri", "s390_sthyi"], action: "SCMP_ACT_LOG" },
  ]);
  await host().ok(["create", "--name", "own", "--security-opt", `seccomp=${path}`, image]);
  const shown = await host().ok(["system", "seccomp", "own"]);
  expect(shown).toEndWith(
    "\nEPERM:\n  mkdir\n\nnothing, as no system call here has that name:\n  mkdri s390_sthyi socketcall\n",
  );
  await host().ok(["rm", "own"]);
});

test("what --json prints is the same filter once it is given back", async () => {
  const filters = () => readdirSync(join(host().state, "seccomp"));
  for (const flags of [[], ["--cap-add", "SYS_ADMIN"], ["--cap-drop", "ALL"]]) {
    const text = await host().ok(["system", "seccomp", "--json"]);
    const found: Buffer[] = [];
    for (const option of ["seccomp=builtin", `seccomp=${file(text)}`]) {
      const before = new Set(filters());
      await host().ok(["run", "--rm", ...flags, "--security-opt", `${option}`, image, "true"]);
      const [made] = filters().filter((name) => !before.has(name));
      if (made !== undefined) found.push(readFileSync(join(host().state, "seccomp", made)));
    }
    if (found.length === 2) expect(found[0]!.equals(found[1]!)).toBe(true);
    else expect([flags, found.length]).toEqual([[], 1]); // the first was there
  }
});

test("a filter is made once, for all that are alike", async () => {
  const directory = join(host().state, "seccomp");
  const seen = () => readdirSync(directory).map((name) => [name, statSync(join(directory, name)).ino]);
  await using container = await running(host());
  const before = seen();
  await host().ok(["run", "--rm", image, "true"]);
  await host().ok(["exec", container.name, "true"]);
  await host().ok([
    "run",
    "--rm",
    "--security-opt",
    "seccomp=builtin",
    "--cap-drop",
    "NET_RAW",
    image,
    "true",
  ]);
  expect(seen()).toEqual(before);
  await host().ok(["exec", "--privileged", container.name, "true"]);
  expect(seen()).toHaveLength(before.length + 1);
  for (const [name] of seen()) expect(statSync(join(directory, String(name))).mode & 0o777).toBe(0o600);
});

test("who is filtered", async () => {
  const filtered = async (...flags: string[]) =>
    (await host().ok(["run", "--rm", ...flags, image, ...mode])).trim();
  const open = file([]);
  expect(await filtered()).toBe("2");
  expect(await filtered("--privileged")).toBe("0");
  expect(await filtered("--security-opt", "seccomp=unconfined")).toBe("0");
  expect(await filtered("--privileged", "--security-opt", "seccomp=builtin")).toBe("2");
  expect(await filtered("--privileged", "--security-opt", `seccomp=${open}`)).toBe("2");
  expect(await filtered("--security-opt", `seccomp:${open}`, "--security-opt", "seccomp=unconfined")).toBe(
    "0",
  );
});

test("the configuration may say which, for those that name none", async () => {
  const config = (word: string) => {
    const path = join(host().dir, `config-${counter++}.toml`);
    writeFileSync(path, `seccomp-profile = ${JSON.stringify(word)}\n`);
    return ["--config", path];
  };
  const own = config(file(noMkdir));
  const make = [image, "mkdir", "/tmp/x"];
  expect(await host().rt([...own, "run", "--rm", ...make])).toMatchObject({ stderr: refused, code: 1 });
  for (const flags of [["--privileged"], ["--security-opt", "seccomp=builtin"]])
    expect(await host().ok([...own, "run", "--rm", ...flags, ...make])).toBe("");
  expect(await host().ok([...config("unconfined"), "run", "--rm", image, ...mode])).toBe("0\n");
  expect(await host().ok([...own, "system", "seccomp"])).toContain("\nENOSPC:\n  mkdir mkdirat\n");
  expect(await host().ok([...own, "info", "-f", "{{json .SecurityOptions}}"])).toContain(
    "name=seccomp,profile=/",
  );
  expect(await host().ok(["info", "-f", "{{json .SecurityOptions}}"])).toContain(
    "name=seccomp,profile=builtin",
  );
  const wrong = config(file('{\n"defaultAction": "SCMP_ACT_ALOW" }'));
  const { stderr, code } = await host().rt([...wrong, "run", "--rm", image]);
  expect([oneLine(stderr), code]).toEqual([
    expect.stringMatching(
      /seccomp-profile \/.*: line 2: defaultAction: there is no SCMP_ACT_ALOW; did you mean SCMP_ACT_ALLOW\?$/,
    ),
    125,
  ]);
  expect(await host().ok(["ps", "-aq"])).toBe("");
});

const rule = (members: string) => `{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [\n{ ${members} }\n] }`;
const endless = `{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [${Array.from(
  { length: 5000 },
  (_, value) =>
    `{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":${value},"op":"SCMP_CMP_EQ"}]}`,
).join(",")}] }`;

test("what is wrong with a profile is one line, and nothing is made", async () => {
  const wrong: [text: string, line: RegExp][] = [
    ["", /profile-\d+\.json: line 1: want a value, found the end$/],
    ["{ not json", /line 1: want a member's name, found n$/],
    ["[]", /line 1: want an object$/],
    ["{}", /line 1: defaultAction: it is missing$/],
    ['{ "defaultAction": 3 }', /line 1: defaultAction: want a string$/],
    [
      '{ "defaultAction":\n"SCMP_ACT_NOTIFY" }',
      /line 2: defaultAction: SCMP_ACT_NOTIFY wants a program that answers for the kernel: rt has none$/,
    ],
    [
      '{ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x" }',
      /listenerPath: SCMP_ACT_NOTIFY wants a program/,
    ],
    [
      rule('"names": ["read"], "action": "SCMP_ACT_DENY"'),
      /line 2: syscalls\[0\]\.action: there is no SCMP_ACT_DENY; want one of /,
    ],
    [rule('"names": "read", "action": "SCMP_ACT_LOG"'), /line 2: syscalls\[0\]\.names: want a list$/],
    [
      rule('"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000'),
      /errnoRet: want a whole number from 0 to 4095$/,
    ],
    [
      rule('"names": ["read"], "action": "SCMP_ACT_LOG", "include": {}'),
      /include: there is no such member; did you mean includes\?$/,
    ],
    [endless, /cannot make a filter of the seccomp profile: /],
    ["[".repeat(1000), /line 1: nested more than 32 levels deep$/],
    [" ".repeat((1 << 20) + 1), /is larger than 1 MiB$/],
    ["\xff", /want a value/],
  ];
  for (const [text, line] of wrong) {
    const { stderr, code } = await host().rt([
      "run",
      "--name",
      "xx",
      "--security-opt",
      `seccomp=${file(text)}`,
      image,
    ]);
    expect([oneLine(stderr), code]).toEqual([expect.stringMatching(line), 125]);
    expect(stderr).toContain("seccomp");
  }
  for (const [path, line] of [
    [
      "/no/such",
      /--security-opt seccomp="\/no\/such": there is no such file: want builtin, unconfined or a profile's file$/,
    ],
    ["unconfind", /--security-opt seccomp="unconfind": there is no such file/],
    ["", /invalid --security-opt "seccomp=": want unconfined, builtin or a profile$/],
    ["/etc", /^cannot read --security-opt seccomp \/etc: EISDIR/],
    ["/dev/zero", /^--security-opt seccomp \/dev\/zero is larger than 1 MiB$/],
  ] as const) {
    const { stderr, code } = await host().rt(["create", "--security-opt", `seccomp=${path}`, image]);
    expect([oneLine(stderr), code]).toEqual([expect.stringMatching(line), 125]);
  }
  expect(await host().ok(["ps", "-aq"])).toBe("");
  expect((await host().rt(["system", "seccomp", "nosuch"])).stderr).toBe("rt: No such container: nosuch\n");
});

/** What commands ask of an engine and make of its answers; the engine is none, so this needs no root and no store. */
import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { runCli } from "../../../src/cli/cli.ts";
import type { ContainerInspect } from "../../../src/docker/container-inspect.ts";
import type { NetworkDocument } from "../../../src/docker/network.ts";
import { statsDocument } from "../../../src/docker/stats.ts";
import type { LoadOptions } from "../../../src/engine/image/load.ts";
import type { PushAllOptions } from "../../../src/engine/image/push.ts";
import type { EachContainer } from "../../../src/engine/system/each-container.ts";
import type { FilterFacts } from "../../../src/engine/system/seccomp.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { parseSeccompProfile } from "../../../src/settings/seccomp-profile.ts";
import { type FakeVerbs, fakeEngine } from "../../support/fake-engine.ts";
import { capture } from "./capture.ts";

async function rt(argv: readonly string[], verbs: FakeVerbs = {}) {
  const engine = fakeEngine(verbs);
  const context = { ...capture(), openEngine: engine.open };
  const status = await runCli(argv, context);
  return { status, engine, stdout: context.stdout.text, stderr: context.stderr.text };
}

test("run: its options, its caller's keys, its status", async () => {
  const argv = [
    "run",
    "--rm",
    "-i",
    "--name",
    "web",
    "--detach-keys",
    "ctrl-a",
    "-e",
    "A=1",
    "alpine",
    "true",
  ];
  const { status, engine } = await rt(argv, { container: { run: async () => 42 } });
  expect(status).toBe(42);
  expect(engine.asked).toMatchObject([["container.run", { image: "alpine" }]]);
  expect(engine.opened).toMatchObject({
    session: { stdio: { kind: "descriptors", stdin: 0, stdout: 1, stderr: 2 }, detachKeys: Uint8Array.of(1) },
    options: { privileged: "run" },
  });
});

test("exec, attach, kill: what they are asked for is handed on", async () => {
  const container = { exec: async () => 3, attach: async () => 4, kill: async () => {} };
  expect((await rt(["exec", "-u", "root", "web", "ls", "-l"], { container })).engine.asked).toMatchObject([
    ["container.exec", { container: "web", command: ["ls", "-l"], user: "root", detach: false }],
  ]);
  expect(await rt(["exec", "web", "ls"], { container })).toMatchObject({ status: 3 });
  const attached = await rt(["attach", "--no-stdin", "--sig-proxy=false", "web"], { container });
  expect(attached.status).toBe(4);
  expect(attached.engine.asked).toEqual([["container.attach", "web", { sigProxy: false, noStdin: true }]]);
  const killed = await rt(["kill", "-s", "HUP", "a", "b"], { container });
  expect(killed).toMatchObject({ status: 0, stdout: "a\nb\n" });
  expect(killed.engine.asked).toEqual([
    ["container.kill", "a", "SIGHUP"],
    ["container.kill", "b", "SIGHUP"],
  ]);
});

test("create, start, restart: what they ask for, and what they print", async () => {
  const container = { create: async () => "c0ffee", start: async () => 5, restart: async () => {} };
  const made = await rt(["create", "--name", "web", "--rm", "alpine", "true"], { container });
  expect(made).toMatchObject({ status: 0, stdout: "c0ffee\n" });
  expect(made.engine.asked).toMatchObject([
    ["container.create", { image: "alpine", name: "web", settings: { autoRemove: true, command: ["true"] } }],
  ]);
  const started = await rt(["start", "a", "b"], { container });
  expect(started).toMatchObject({ status: 0, stdout: "a\nb\n" });
  const quietly = { attach: false, stdin: false, sigProxy: true };
  expect(started.engine.asked[1]).toEqual(["container.start", "b", quietly]);
  const attached = await rt(["start", "-i", "--detach-keys", "ctrl-a", "a"], { container });
  expect(attached).toMatchObject({ status: 5, stdout: "" });
  expect(attached.engine.asked).toEqual([
    ["container.start", "a", { ...quietly, attach: true, stdin: true }],
  ]);
  expect(attached.engine.opened).toMatchObject({ session: { detachKeys: Uint8Array.of(1) } });
  expect(await rt(["start", "-a", "a", "b"], { container })).toMatchObject({ status: 1, stdout: "" });
  const restarted = await rt(["restart", "-t", "3", "a"], { container });
  expect(restarted).toMatchObject({ status: 0, stdout: "a\n" });
  expect(restarted.engine.asked).toEqual([["container.restart", "a", { signal: undefined, timeout_s: 3 }]]);
});

test("image prune and system prune: what they ask of each noun, and what they print", async () => {
  const image = {
    prune: async () => ({
      ImagesDeleted: [{ Untagged: "a:1" }, { Deleted: "sha256:b" }],
      SpaceReclaimed: 1234567,
    }),
  };
  const container = { prune: async () => ({ ContainersDeleted: ["c1"], SpaceReclaimed: 1_000_000 }) };
  const volume = { prune: async () => ({ VolumesDeleted: [], SpaceReclaimed: 0 }) };
  const alone = await rt(["image", "prune", "-af", "--filter", "label=x"], { image });
  const told = "Deleted Images:\nuntagged: a:1\ndeleted: sha256:b\n\n";
  expect(alone.stdout).toBe(`${told}Total reclaimed space: 1.235MB\n`);
  expect(alone.engine.asked).toEqual([["image.prune", { filters: { label: ["x"], dangling: ["false"] } }]]);
  const network = { prune: async () => ({ NetworksDeleted: ["lab"] }) };
  const all = await rt(["system", "prune", "-f", "--volumes"], { image, container, volume, network });
  expect(all.stdout).toBe(
    `Deleted Containers:\nc1\n\nDeleted Networks:\nlab\n\n${told}Total reclaimed space: 2.235MB\n`,
  );
  expect(all.engine.asked).toEqual([
    ["container.prune", { filters: {} }],
    ["network.prune", { filters: {} }],
    ["volume.prune", { filters: {} }],
    ["image.prune", { filters: {} }],
  ]);
});

test("system check: a line for each finding, and its status", async () => {
  const finding = { kind: "blob", what: "sha256:a", problem: "it is missing", remedy: "pull" } as const;
  const check = (found: (typeof finding)[]) => async () =>
    (async function* () {
      yield* found;
    })();
  const lack = { what: "x", problem: "is missing", remedy: "install it" };
  const checkHost = (isHint?: boolean) => async () => (isHint === undefined ? [] : [{ ...lack, isHint }]);
  const found = { check: check([finding]), checkHost: checkHost() };
  expect(await rt(["system", "check"], { system: found })).toMatchObject({
    ...{ status: 1, stdout: "blob sha256:a: it is missing: pull\n1 problem\n" },
  });
  const asked = async (isHint: boolean) =>
    rt(["system", "check"], { system: { check: check([]), checkHost: checkHost(isHint) } });
  expect(await asked(true)).toMatchObject({
    ...{ status: 0, stdout: "hint x: is missing: install it\nall is as it was written\n" },
  });
  expect(await asked(false)).toMatchObject({
    ...{ status: 1, stdout: "host x: is missing: install it\n1 problem\n" },
  });
});

test("system migrate, unshare: what they are asked for is handed on", async () => {
  expect(await rt(["system", "migrate"], { system: { migrate: async () => true } })).toMatchObject({
    ...{ status: 0, stdout: "your next command begins anew\n" },
  });
  expect(await rt(["system", "migrate"], { system: { migrate: async () => false } })).toMatchObject({
    ...{ status: 0, stdout: "there was nothing to end\n" },
  });
  const { engine } = await rt(["unshare", "ls", "-l", "--help"], { system: { unshare: async () => {} } });
  expect(engine.asked).toEqual([["system.unshare", ["ls", "-l", "--help"]]]);
});

test("system seccomp: for people, and as a profile that can be given back", async () => {
  const here: FilterFacts["here"] = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [
      { names: ["write", "read"], action: "SCMP_ACT_ALLOW" },
      { names: ["exit", "raed"], action: "SCMP_ACT_ALLOW" },
      { names: ["raed"], action: "SCMP_ACT_LOG" },
      {
        names: ["bpf"],
        action: "SCMP_ACT_KILL_PROCESS",
        args: [
          { index: 0, value: "18446744073709551615", op: "SCMP_CMP_LE" },
          { index: 1, value: 4096, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" },
        ],
        includes: { caps: ["CAP_BPF"] },
        excludes: { caps: ["CAP_KILL", "CAP_CHOWN"] },
      },
      { names: ["x\u001b"], action: "SCMP_ACT_TRACE", errnoRet: 3 },
    ],
  };
  const facts = async () => ({ source: "profile", profile: here, here, unknown: ["raed"] });
  const shown = await rt(["system", "seccomp", "web"], { system: { seccomp: facts } });
  expect(shown.engine.asked).toEqual([["system.seccomp", "web"]]);
  expect(shown.stdout).toBe(
    [
      "Profile:       one of its own",
      "Architectures: X86_64; a call of another ends the process",
      "Other calls:   ENOSYS",
      "",
      "allow:",
      "  exit read write",
      "",
      "kill the process, where argument 1 <= 0xffffffffffffffff and argument 2 & 0x1000 = 0, with CAP_BPF, " +
        "without CAP_KILL and CAP_CHOWN:",
      "  bpf",
      "",
      "trace 3:",
      "  x\\u001b",
      "",
      "nothing, as no system call here has that name:",
      "  raed",
      "",
    ].join("\n"),
  );
  const { stdout } = await rt(["system", "seccomp", "--json"], { system: { seccomp: facts } });
  expect(stdout).toContain('"value": 18446744073709551615,');
  const read = parseSeccompProfile(stdout, "stdout");
  expect(read).toEqual(here);
  const open = { source: "unconfined", profile: here, here, unknown: [] };
  const nothing = await rt(["system", "seccomp"], { system: { seccomp: async () => open } });
  expect(nothing.stdout).toBe("unconfined: every system call is let through\n");
});

test("stats: what it asks for, and what is shown of it", async () => {
  const looks = [statsDocument({ id: "c0ffee".padEnd(64, "0"), name: "web" }, undefined, undefined)];
  const stats = async () =>
    (async function* () {
      yield looks;
    })();
  const argv = ["stats", "--no-stream", "-a", "--format", "{{.Container}}|{{.ID}}|{{.MemUsage}}", "web"];
  const told = await rt(argv, { container: { stats } });
  expect(told).toMatchObject({ status: 0, stdout: "web|c0ffee000000|0B / 0B\n" });
  expect(told.engine.asked).toEqual([["container.stats", { names: ["web"], all: true, stream: false }]]);
});

test("commit: what it asks for, and the id", async () => {
  const container = { commit: async () => "sha256:c0ffee" };
  const plain = await rt(["commit", "web"], { container });
  expect(plain).toMatchObject({ status: 0, stdout: "sha256:c0ffee\n" });
  const defaults = { reference: undefined, author: "", comment: "", changes: [], pause: true };
  expect(plain.engine.asked).toEqual([["container.commit", "web", defaults]]);
  const flags = ["-a", "me", "-m", "why", "-c", "CMD x", "--change=ENV a=b", "-p=false"];
  const full = await rt(["commit", ...flags, "web", "team/web:1"], { container });
  const changes = ["CMD x", "ENV a=b"];
  expect(full.engine.asked).toEqual([
    [
      "container.commit",
      "web",
      { reference: "team/web:1", author: "me", comment: "why", changes, pause: false },
    ],
  ]);
});

test("container prune: its filters, what it prints, and words that are wrong", async () => {
  const container = { prune: async () => ({ ContainersDeleted: ["a1", "b2"], SpaceReclaimed: 2345 }) };
  const argv = ["container", "prune", "-f", "--filter", "until=24h", "--filter", "label!=keep"];
  const pruned = await rt(argv, { container });
  expect(pruned.stdout).toBe("Deleted Containers:\na1\nb2\n\nTotal reclaimed space: 2.35kB\n");
  const filters = { until: ["24h"], "label!": ["keep"] };
  expect(pruned.engine.asked).toEqual([["container.prune", { filters }]]);
  const none = { prune: async () => ({ ContainersDeleted: [], SpaceReclaimed: 0 }) };
  expect(await rt(["container", "prune", "-f"], { container: none })).toMatchObject({
    status: 0,
    stdout: "Total reclaimed space: 0B\n",
  });
  for (const filter of ["until=soon", "name=x", "until"]) {
    const wrong = await rt(["container", "prune", "-f", "--filter", filter], { container });
    expect([wrong.status, wrong.engine.opened]).toEqual([125, undefined]);
    expect(wrong.stderr).toMatch(/^rt: [^\n]+\n$/);
  }
});

test("update: the policy and the limits that were asked for; without a flag there is nothing to do", async () => {
  const container = { update: async () => {} };
  const updated = await rt(["update", "--restart", "on-failure:3", "a", "b"], { container });
  expect(updated).toMatchObject({ status: 0, stdout: "a\nb\n" });
  const restart = { name: "on-failure", retries: 3 };
  expect(updated.engine.asked[1]).toEqual(["container.update", "b", { restart }]);
  const limited = await rt(["update", "-m", "64m", "--cpus=1.5", "--memory-swap", "-1", "a"], { container });
  const resources = { memory: 64 << 20, memorySwap: -1, nanoCpus: 1.5e9 };
  expect(limited.engine.asked).toEqual([["container.update", "a", { resources }]]);
  const slower = await rt(["update", "--bandwidth-up", "8mbit", "--bandwidth-down", "0", "a"], { container });
  const bandwidth = { bandwidthUp: 8_000_000, bandwidthDown: 0 };
  expect(slower.engine.asked).toEqual([["container.update", "a", { bandwidth }]]);
  const wrong = [
    [["update", "a"], 1],
    [["update", "--bandwidth-up=fast", "a"], 125],
    [["update", "--restart=sometimes", "a"], 125],
    [["update", "-m", "1k", "a"], 125],
    [["update", "-m", "0", "a"], 1],
    [["update", "--kernel-memory", "x", "a"], 125],
    [["update", "--restart=no"], 125],
  ] as const;
  for (const [argv, status] of wrong) {
    const refused = await rt(argv, { container });
    expect([argv, refused.status, refused.engine.opened]).toEqual([argv, status, undefined]);
    expect(refused.stderr).toMatch(/^rt: [^\n]+\n$/);
  }
});

test("stop, wait, pause, rename, top, port: what they ask for, and what they print", async () => {
  const table = { Titles: ["PID", "CMD"], Processes: [["7", "a\nb"]] };
  const container = {
    stop: async () => {},
    wait: async (name: string) => (name === "a" ? 3 : 137),
    pause: async () => {},
    unpause: async () => {},
    rename: async () => {},
    top: async () => table,
    inspect: async () => ({}) as never,
  };
  const stopped = await rt(["stop", "-t", "-1", "-s", "hup", "a", "b"], { container });
  expect(stopped).toMatchObject({ status: 0, stdout: "a\nb\n" });
  expect(stopped.engine.asked[1]).toEqual(["container.stop", "b", { signal: "SIGHUP", timeout_s: -1 }]);
  expect(await rt(["wait", "a", "b"], { container })).toMatchObject({ status: 0, stdout: "3\n137\n" });
  for (const verb of ["pause", "unpause"]) {
    const { engine, stdout } = await rt([verb, "a"], { container });
    expect([engine.asked, stdout]).toEqual([[[`container.${verb}`, "a"]], "a\n"]);
  }
  const renamed = await rt(["rename", "a", "b"], { container });
  expect([renamed.engine.asked, renamed.stdout]).toEqual([[["container.rename", "a", "b"]], ""]);
  const top = await rt(["top", "a", "-o", "pid,cmd"], { container });
  expect(top.engine.asked).toEqual([["container.top", "a", ["-o", "pid,cmd"]]]);
  expect(top.stdout).toBe(`${"PID".padEnd(20)}CMD\n${"7".padEnd(20)}a\\nb\n`);
  expect(await rt(["port", "a"], { container })).toMatchObject({ status: 0, stdout: "" });
  expect(await rt(["port", "a", "80"], { container })).toMatchObject({ status: 1, stdout: "" });
});

test("port: another host's engine moves no cursor", async () => {
  const Ports = { "80/tcp\x1b[2J": [{ HostIp: "1.2.3.4\x1b]0;x\x07", HostPort: "8\r0" }] };
  const container = { inspect: async () => ({ NetworkSettings: { Ports } }) as unknown as ContainerInspect };
  const { stdout } = await rt(["port", "web"], { container });
  expect(stdout).toMatch(/^[\x20-\x7e]+\n$/);
});

test("port: what leads where; three words and more change that, fewer are Docker's", async () => {
  const places = [
    { HostIp: "0.0.0.0", HostPort: "8080" },
    { HostIp: "::", HostPort: "8080" },
  ];
  const document = { NetworkSettings: { Ports: { "80/tcp": places, "443/tcp": null } } };
  const container = {
    inspect: async () => document as unknown as ContainerInspect,
    publish: async () => {},
    unpublish: async () => {},
  };
  const all = "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n";
  for (const name of ["web", "add", "rm"]) {
    expect(await rt(["port", name], { container })).toMatchObject({ status: 0, stdout: all });
    const one = await rt(["port", name, "80/tcp"], { container });
    expect(one).toMatchObject({ status: 0, stdout: "0.0.0.0:8080\n[::]:8080\n" });
    expect(one.engine.asked).toEqual([["container.inspect", name]]);
  }
  const wish = { port: 80, protocol: "tcp", address: "", first: 8080, last: 8080 };
  const added = await rt(["port", "add", "web", "8080:80"], { container });
  expect(added).toMatchObject({ status: 0, stdout: "" });
  expect(added.engine.asked).toEqual([["container.publish", "web", [wish]]]);
  const taken = await rt(["port", "rm", "add", "8080:80", "90"], { container });
  const other = { ...wish, port: 90, first: 0, last: 0 };
  expect(taken.engine.asked).toEqual([["container.unpublish", "add", [wish, other]]]);
  for (const [argv, why] of [
    [["web", "80", "90"], '"port" takes CONTAINER and PORT: 90 is too much'],
    [["add", "web"], '"port add" needs CONTAINER and SPEC, a port as run -p has it'],
    [["add", "web", "x"], "invalid containerPort: x"],
    [["web", "x"], "invalid port (x): want a number"],
    [["web", "443"], "No public port '443' published for web"],
  ] as const)
    expect(await rt(["port", ...argv], { container })).toMatchObject({ status: 1, stderr: `rt: ${why}\n` });
});

test("why: a line, what there is to say besides, and the last lines, escaped", async () => {
  const explanation = {
    ...{ id: "c0ffee", name: "web", status: "exited", exitCode: 3, headline: "web ended" },
    ...{ findings: ["because\u001b"], lastLines: ["a", "b\r"] },
  };
  const container = { why: async () => explanation };
  const said = await rt(["why", "web"], { container });
  expect(said).toMatchObject({
    status: 0,
    stdout: "web ended\n  because\\u001b\n  its last lines:\n    a\n    b\\r\n",
  });
  expect(said.engine.asked).toEqual([["container.why", "web"]]);
  const json = await rt(["why", "--format", "json", "web"], { container });
  expect(JSON.parse(json.stdout)).toEqual(explanation);
  expect(await rt(["why", "-f", "{{.status}} {{.exitCode}}", "web"], { container })).toMatchObject({
    stdout: "exited 3\n",
  });
});

test("logs: times are decided, and what is no number of lines means all", async () => {
  const container = { logs: async () => {} };
  const argv = ["logs", "-ft", "--tail", "5", "--since", "2024-05-01T10:00:00Z", "web"];
  const { status, engine } = await rt(argv, { container });
  expect(status).toBe(0);
  const since = BigInt(Date.UTC(2024, 4, 1, 10)) * 1_000_000n;
  const options = { follow: true, timestamps: true, details: false, tail: 5, since, until: undefined };
  expect(engine.asked).toEqual([["container.logs", "web", options]]);
  expect((await rt(["logs", "-n", "-1", "web"], { container })).engine.asked).toMatchObject([
    ["container.logs", "web", { follow: false, tail: undefined, since: undefined }],
  ]);
  const bad = await rt(["logs", "--until", "x", "web"], { container });
  expect(bad).toMatchObject({ status: 1, engine: { asked: [] } });
});

test("cp: which side is the container's, and what a path's end says", async () => {
  const container = { copyFrom: async () => 5, copyTo: async () => 6 };
  const asked = async (...argv: string[]) => (await rt(["cp", ...argv], { container })).engine.asked[0];
  expect(await asked("-aL", "web:/etc/.", "/tmp/x/")).toEqual([
    "container.copyFrom",
    "web",
    "/etc/.",
    { archive: true, followLink: true, to: "/tmp/x/" },
  ]);
  expect(await asked("./a:b", "web:c:d")).toEqual([
    "container.copyTo",
    "web",
    "c:d",
    { followLink: false, from: `${process.cwd()}/a:b` },
  ]);
  expect(await asked(".", "web:/x")).toMatchObject({ 3: { from: `${process.cwd()}/.` } });
  expect(await asked("-", "web:/x")).toMatchObject({ 3: { from: undefined } });
  expect(await asked("web:/x", "-")).toMatchObject({ 3: { to: undefined } });
  const none = await rt(["cp", "a", "b"], { container });
  expect(none).toMatchObject({ status: 1, stderr: "rt: must specify at least one container source\n" });
});

test("of several names each is tried, and one that fails makes the status 1", async () => {
  const remove = async (name: string) => {
    if (name === "gone") throw new RtError("not-found", "No such container: gone", { exitCode: 1 });
  };
  const plain = await rt(["rm", "a", "gone", "b"], { container: { remove } });
  expect(plain).toMatchObject({ status: 1, stdout: "a\nb\n", stderr: "rt: No such container: gone\n" });
  const forced = await rt(["rm", "-fv", "a", "gone"], { container: { remove } });
  expect(forced).toMatchObject({ status: 0, stdout: "a\n" });
  expect(forced.engine.asked[0]).toEqual(["container.remove", "a", { force: true, volumes: true }]);
});

test("a failure of the engine is one line and its exit status; what is no RtError is named a bug", async () => {
  const fails = (error: Error): FakeVerbs => ({ container: { run: () => Promise.reject(error) } });
  const forbidden = new RtError("forbidden", 'exec: "x": permission denied', { exitCode: 126 });
  expect(await rt(["run", "alpine"], fails(forbidden))).toMatchObject({
    status: 126,
    stderr: 'rt: exec: "x": permission denied\n',
  });
  const bug = await rt(["run", "alpine"], fails(new Error("oh\nno")));
  expect([bug.status, bug.stderr]).toEqual([
    125,
    "rt: internal error: oh no (set RT_DEBUG=1 for the stack)\n",
  ]);
});

test("rmi prints what the engine says, inspect asks for a container and then for an image", async () => {
  const image = {
    remove: async () => [{ Untagged: "a:1" }, { Deleted: "sha256:1" }],
    inspect: async () => ({ Id: "sha256:1", RepoTags: ["a:1"], RepoDigests: [] }),
  };
  const removed = await rt(["rmi", "--no-prune", "a:1"], { image });
  expect(removed.stdout).toBe("Untagged: a:1\nDeleted: sha256:1\n");
  const inspect = async (name: string) => {
    throw new RtError("not-found", `No such container: ${name}`, { exitCode: 1 });
  };
  const inspected = await rt(["inspect", "-f", "{{.Id}}", "a"], { container: { inspect }, image });
  expect(inspected).toMatchObject({ status: 0, stdout: "sha256:1\n" });
  expect(inspected.engine.asked).toEqual([
    ["container.inspect", "a"],
    ["image.inspect", "a"],
  ]);
  const sized = await rt(["inspect", "-s", "a"], { container: { inspect }, image });
  expect(sized.engine.asked[0]).toEqual(["container.inspect", "a", { size: true }]);
  const chosen = await rt(["image", "inspect", "--platform", "linux/arm64", "a"], { image });
  expect(chosen.engine.asked).toEqual([["image.inspect", "a", { platform: "linux/arm64" }]]);
});

test("tag and untag say nothing; history and the tree of images are tables", async () => {
  const step = { Id: "sha256:1", Created: 0, CreatedBy: "RUN\tx", Tags: null, Size: 1500, Comment: "c" };
  const image = {
    ...{ tag: async () => {}, untag: async () => {}, list: async () => [] },
    history: async () => [step],
  };
  const tagged = await rt(["tag", "a", "b", "c:1"], { image });
  expect(tagged).toMatchObject({ status: 0, stdout: "", stderr: "" });
  expect(tagged.engine.asked).toEqual([["image.tag", "a", ["b", "c:1"]]]);
  expect(tagged.engine.opened?.options).toMatchObject({ privileged: "tag" });
  const untagged = await rt(["image", "untag", "a"], { image });
  expect(untagged.engine.asked).toEqual([["image.untag", "a", []]]);
  const told = await rt(["history", "--platform", "linux/arm64", "a"], { image });
  expect(told.engine.asked).toEqual([["image.history", "a", { platform: "linux/arm64" }]]);
  expect(told.stdout).toBe(
    "IMAGE     CREATED   CREATED BY   SIZE      COMMENT\n1         N/A       RUN x        1.5kB     c\n",
  );
  const plain = await rt(["history", "-H=false", "--format", "{{.Size}} {{.CreatedSince}}", "a"], { image });
  expect(plain.stdout).toBe("1500 N/A\n");
  const tree = await rt(["images", "--tree", "-f", "until=1h", "a"], { image });
  expect(tree.stdout).toStartWith("IMAGE   ID ");
  expect(tree.engine.asked).toEqual([
    ["image.list", { filters: { until: ["1h"] }, pattern: "a", manifests: true }],
  ]);
});

test("save, load, import: what they ask for, and what they print", async () => {
  const id = `sha256:${"a".repeat(64)}` as Digest;
  const loaded = [
    { id, names: ["a:1", "b:\u001b[31m"], taken: [{ name: "a:1", from: id }] },
    { id, names: [], taken: [] },
  ];
  const image = {
    save: async () => {},
    load: async ({ onLoaded }: LoadOptions) => loaded.forEach(onLoaded),
    import: async () => id,
  };
  const argv = [
    "save",
    "--uncompressed",
    "--format",
    "oci-archive",
    "--platform",
    "linux/a,linux/b",
    "-o",
    "/x",
    "a",
    "b",
  ];
  expect(await rt(argv, { image })).toMatchObject({
    ...{ status: 0, stdout: "" },
    engine: {
      asked: [
        [
          "image.save",
          ["a", "b"],
          { format: "oci-archive", output: "/x", platforms: ["linux/a", "linux/b"], uncompressed: true },
        ],
      ],
    },
  });
  const brought = await rt(["load", "-q", "-i", "/x", "--platform", "linux/arm64"], { image });
  expect(brought).toMatchObject({
    status: 0,
    stdout: [
      `The image a:1 already exists, renaming the old one with ID ${id} to empty string`,
      "Loaded image: a:1",
      "Loaded image: b:\\u001b[31m",
      `Loaded image ID: ${id}`,
      "",
    ].join("\n"),
  });
  expect(brought.engine.asked).toMatchObject([["image.load", { input: "/x", platform: "linux/arm64" }]]);
  const imported = await rt(["import", "-c", "USER a", "-m", "why", "-", "a:1"], { image });
  expect(imported).toMatchObject({ status: 0, stdout: `${id}\n` });
  const wanted = { source: "-", reference: "a:1", changes: ["USER a"], message: "why", platform: undefined };
  expect(imported.engine.asked).toEqual([["image.import", wanted]]);
  expect((await rt(["import", "/a", "a:1"], { image })).engine.asked).toMatchObject([
    ["image.import", { source: "/a" }],
  ]);
});

test("push and image cp: what they ask for, and what they print", async () => {
  const sent = { digest: `sha256:${"b".repeat(64)}` as Digest, mediaType: "x", size: 7 };
  const image = {
    push: async () => sent,
    pushAll: async (_: string, { onSent }: PushAllOptions) => onSent?.("1", sent),
    copy: async () => sent,
  };
  const flags = [
    "--compression",
    "zstd",
    "--compression-level",
    "5",
    "--force-compression",
    "--tls-verify=false",
  ];
  const pushed = await rt(["push", ...flags, "a:1", "registry.example/b:2"], { image });
  const how = { compression: "zstd", compressionLevel: 5, forceCompression: true, tlsVerify: false };
  expect(pushed).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(
      /^The push refers to .*registry\.example\/b.*\n2: digest: sha256:b{64} size: 7\n$/,
    ),
  });
  expect(pushed.engine.asked).toMatchObject([
    ["image.push", "a:1", { ...how, destination: "registry.example/b:2" }],
  ]);
  const quiet = await rt(["push", "-aq", "registry.example/b"], { image });
  expect(quiet.engine.asked).toMatchObject([["image.pushAll", "registry.example/b", { tlsVerify: true }]]);
  expect(quiet.stdout).not.toContain("digest");
  const copied = await rt(["image", "cp", "--all", "a.example/x:1", "b.example/y:1"], { image });
  expect(copied.engine.asked).toMatchObject([
    ["image.copy", "a.example/x:1", "b.example/y:1", { all: true }],
  ]);
  for (const wrong of [["push"], ["push", "-a", "a", "b"], ["image", "cp", "a"]])
    expect(await rt(wrong, { image })).toMatchObject({ status: 125, engine: { asked: [] } });
});

test("a pull that is quiet prints the name only; flags choose the engine", async () => {
  const answer = { name: "docker.io/library/a:1", familiar: "a:1", status: "up-to-date", target: "sha256:2" };
  const image = { pull: async () => answer } as unknown as NonNullable<FakeVerbs["image"]>;
  const pulled = await rt(["--root", "/r", "pull", "-q", "--tls-verify=false", "a:1"], { image });
  expect(pulled.stdout).toBe("docker.io/library/a:1\n");
  expect(pulled.engine.asked).toMatchObject([["image.pull", "a:1", { tlsVerify: false }]]);
  expect(pulled.engine.opened?.options).toMatchObject({ root: "/r", privileged: "pull" });
});

test("network: what is typed is handed on, ids and names are printed", async () => {
  const one: NetworkDocument = {
    ...{ Name: "lab", Id: "a".repeat(64), Created: "2025-01-02T03:04:05Z", Scope: "local", Driver: "bridge" },
    ...{ EnableIPv4: true, EnableIPv6: false, IPAM: { Driver: "default", Options: null, Config: [] } },
    ...{ Internal: false, Attachable: false, Ingress: false, ConfigFrom: { Network: "" }, ConfigOnly: false },
    ...{ Containers: {}, Options: {}, Labels: { x: "y" } },
  };
  const network: NonNullable<FakeVerbs["network"]> = {
    create: async () => one.Id,
    list: async () => [one],
    inspect: async () => one,
    remove: async (name: string) => name === "lab",
    prune: async () => ({ NetworksDeleted: ["lab"] }),
    reload: async () => {},
    connect: async () => {},
    disconnect: async () => {},
  };
  const flags =
    "--subnet 10.1.0.0/16 --gateway 10.1.0.1 --ip-range 10.1.4.0/24 --aux-address a=10.1.0.9 --internal --attachable";
  const made = await rt(["network", "create", ...flags.split(" "), "--label", "x=y", "-o", "k=v", "lab"], {
    network,
  });
  expect(made.stdout).toBe(`${one.Id}\n`);
  expect(made.engine.asked).toEqual([
    [
      "network.create",
      {
        ...{
          name: "lab",
          driver: "bridge",
          labels: { x: "y" },
          options: { k: "v" },
          internal: true,
          attachable: true,
          ipv4: true,
          ipv6: false,
        },
        ...{ subnets: ["10.1.0.0/16"], gateways: ["10.1.0.1"], ranges: ["10.1.4.0/24"] },
        auxiliary: { a: "10.1.0.9" },
      },
    ],
  ]);
  expect((await rt(["network", "ls"], { network })).stdout).toBe(
    "NETWORK ID     NAME      DRIVER    SCOPE\naaaaaaaaaaaa   lab       bridge    local\n",
  );
  const listed = await rt(["network", "ls", "--no-trunc", "-q", "-f", "type=custom"], { network });
  expect(listed.stdout).toBe(`${one.Id}\n`);
  expect(listed.engine.asked).toEqual([["network.list", { filters: { type: ["custom"] } }]]);
  const format = '{{.Name}} {{.Internal}} {{.IPv6}} {{.Labels}} {{.Label "x"}}';
  expect((await rt(["network", "ls", "--format", format], { network })).stdout).toBe(
    "lab false false x=y y\n",
  );
  expect((await rt(["network", "inspect", "-f", "{{.Scope}}", "lab"], { network })).stdout).toBe("local\n");
  const removed = await rt(["network", "rm", "-f", "lab", "x"], { network });
  expect(removed.stdout).toBe("lab\n");
  expect(removed.engine.asked[0]).toEqual(["network.remove", "lab", { force: true }]);
  expect((await rt(["network", "reload"], { network })).engine.asked).toEqual([["network.reload"]]);
  const words = "--alias db --alias store --ip 10.1.0.7 --ip6 fd00::7 --link a --link b:c --gw-priority -2";
  const more = ["--mac-address", "02-42-0A-01-00-07", "--driver-opt", "k=v=w"];
  const joined = await rt(["network", "connect", ...words.split(" "), ...more, "lab", "web"], { network });
  expect(joined.engine.asked).toEqual([
    [
      "network.connect",
      "lab",
      "web",
      {
        ...{ aliases: ["db", "store"], address: "10.1.0.7", address6: "fd00::7", mac: "02:42:0a:01:00:07" },
        ...{ links: ["a:a", "b:c"], options: { k: "v=w" }, priority: -2 },
      },
    ],
  ]);
  const left = await rt(["network", "disconnect", "-f", "lab", "web"], { network });
  expect(left.engine.asked).toEqual([["network.disconnect", "lab", "web", { force: true }]]);
  const pruned = await rt(["network", "prune", "-f", "--filter", "until=1h"], { network });
  expect(pruned.stdout).toBe("Deleted Networks:\nlab\n\n");
  expect(pruned.engine.asked).toEqual([["network.prune", { filters: { until: ["1h"] } }]]);
});

test("volume: what is typed is handed on, names are printed", async () => {
  const document = (Name: string) => ({
    ...{ Name, Driver: "local", Scope: "local" as const, Labels: null, Options: null },
    ...{ Mountpoint: `/v/${Name}`, CreatedAt: "2025-01-02T03:04:05Z" },
  });
  const volume: NonNullable<FakeVerbs["volume"]> = {
    create: async ({ name }) => document(name),
    list: async () => [document("a"), document("b")],
    inspect: async (name) => document(name),
    remove: async () => {},
    prune: async () => ({ VolumesDeleted: ["a", "b"], SpaceReclaimed: 1234 }),
  };
  const made = await rt(["volume", "create", "--label", "x=y", "-o", "o=bind,ro", "data"], { volume });
  expect(made).toMatchObject({ status: 0, stdout: "data\n" });
  expect(made.engine.asked).toEqual([
    ["volume.create", { name: "data", driver: "local", labels: { x: "y" }, options: { o: "bind,ro" } }],
  ]);
  const listed = await rt(["volume", "ls", "-q", "-f", "name=a", "-f", "dangling=1"], { volume });
  expect(listed.stdout).toBe("a\nb\n");
  expect(listed.engine.asked).toEqual([["volume.list", { filters: { name: ["a"], dangling: ["1"] } }]]);
  expect((await rt(["volume", "inspect", "-f", "{{.Mountpoint}}", "a"], { volume })).stdout).toBe("/v/a\n");
  const removed = await rt(["volume", "rm", "-f", "a", "b"], { volume });
  expect(removed.stdout).toBe("a\nb\n");
  expect(removed.engine.asked[0]).toEqual(["volume.remove", "a", { force: true }]);
  const pruned = await rt(["volume", "prune", "-af", "--filter", "label=x"], { volume });
  expect(pruned.stdout).toBe("Deleted Volumes:\na\nb\n\nTotal reclaimed space: 1.23kB\n");
  expect(pruned.engine.asked).toEqual([["volume.prune", { filters: { label: ["x"], all: ["true"] } }]]);
});

test("events: each is a line as it comes; whoever has enough is asked nothing", async () => {
  const event = (name: string) => ({
    ...{ Type: "container", Action: "die", Actor: { ID: "c1", Attributes: { name } }, scope: "local" },
    ...{ time: 1735787045, timeNano: "1735787045123456789" },
  });
  async function* told() {
    yield event("a");
    yield event("b");
    throw new RtError("cancelled", "interrupted", { exitCode: 130 });
  }
  const system: NonNullable<FakeVerbs["system"]> = { events: async () => told() };
  const followed = await rt(["events", "--since", "1h", "-f", "event=die"], { system });
  expect(followed).toMatchObject({ status: 130, stderr: "" });
  expect(followed.stdout).toBe(
    ["a", "b"].map((name) => `2025-01-02T03:04:05.123456789Z container die c1 (name=${name})\n`).join(""),
  );
  expect(followed.engine.asked).toEqual([["system.events", { filters: { event: ["die"] }, since: "1h" }]]);
  const json = await rt(["events", "--format", "{{json .}}"], { system });
  expect(json.stdout.split("\n")[0]).toEndWith('"time":1735787045,"timeNano":1735787045123456789}');
});

test("words that are wrong never come as far as an engine", async () => {
  for (const argv of [["run"], ["run", "--shm-size", "0", "a"], ["kill", "-s", "NONE", "a"], ["rm"]]) {
    const { status, engine, stderr } = await rt(argv);
    expect([argv, status, engine.opened]).toEqual([argv, 125, undefined]);
    expect(stderr).toMatch(/^rt: [^\n]+\n$/);
  }
});

test("inspect asks for a program that was executed last, or where it is told to only there", async () => {
  const nothing = async (name: string) => {
    throw new RtError("not-found", `No such object: ${name}`, { exitCode: 1 });
  };
  const exec = { inspect: async (ID: string) => ({ ID, ExitCode: 3 }) as never };
  const verbs = {
    container: { inspect: nothing },
    image: { inspect: nothing },
    volume: { inspect: nothing },
    network: { inspect: nothing },
    exec,
  };
  const found = await rt(["inspect", "-f", "{{.ExitCode}}", "abc"], verbs);
  expect(found).toMatchObject({ status: 0, stdout: "3\n" });
  expect(found.engine.asked.map(([verb]) => verb)).toEqual([
    ...["container.inspect", "image.inspect", "volume.inspect", "network.inspect", "exec.inspect"],
  ]);
  const only = await rt(["inspect", "--type", "exec", "abc"], verbs);
  expect(only.engine.asked).toEqual([["exec.inspect", "abc"]]);
});

test("system up and down: each container is told of, and one that fails makes the status 1", async () => {
  const verb = async ({ onDone }: EachContainer) => {
    onDone("web", undefined);
    onDone("db", new RtError("conflict", "cannot start container db: why\nso"));
    onDone("ad", undefined);
  };
  for (const name of ["up", "down"] as const) {
    const { engine, ...said } = await rt(["system", name], { system: { [name]: verb } });
    expect(said).toEqual({
      status: 1,
      stdout: "web\nad\n",
      stderr: "rt: cannot start container db: why so\n",
    });
    expect(engine.asked.map(([asked]) => asked)).toEqual([`system.${name}`]);
    expect(engine.opened?.options.privileged).toBe(`system ${name}`);
  }
});

test("registry serve: where it listens, each request in one line that is safe to read", async () => {
  const line = { client: "127.0.0.1", method: "GET", path: "/v2/\u001b[31m", status: 404, duration_ms: 1.26 };
  const serve: NonNullable<FakeVerbs["registry"]>["serve"] = async ({ onListening, onRequest }) => {
    onListening("http://127.0.0.1:5000");
    onRequest(line);
  };
  const { status, engine, stdout, stderr } = await rt(["registry", "serve", "--read-only"], {
    registry: { serve },
  });
  expect([status, stdout]).toEqual([0, "listening on http://127.0.0.1:5000\n"]);
  expect(stderr).toMatch(/^\S+ 127\.0\.0\.1 GET \/v2\/\\u001b\[31m 404 1\.3ms\n$/);
  expect(engine.asked).toMatchObject([
    ["registry.serve", { listen: "127.0.0.1:5000", readOnly: true, insecure: false, htpasswd: undefined }],
  ]);
  expect((await rt(["registry", "serve", "-q"], { registry: { serve } })).stderr).toBe("");
});

test("login, logout, search: what they are asked for, and docker's words and status", async () => {
  const registry = {
    account: async () => ({ username: "me", hasPassword: true }),
    login: async () => ({}),
    logout: async () => {},
    search: async () => [
      { name: "a/b", description: "x".repeat(50), star_count: 7, is_official: true, is_automated: false },
    ],
  };
  const { engine, ...said } = await rt(["login", "-u", "me", "-p", "x", "r.example"], { registry });
  expect(said).toEqual({
    status: 0,
    stdout: "Login Succeeded\n",
    stderr: "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
  });
  const given = { username: "me", password: "x" };
  expect(engine.asked).toEqual([["registry.login", { server: "r.example", given, tlsVerify: true }]]);
  const again = await rt(["login", "--tls-verify=false"], { registry });
  expect(again.engine.asked).toEqual([
    ["registry.account", undefined],
    ["registry.login", { server: undefined, given: undefined, tlsVerify: false }],
  ]);
  const out = await rt(["logout"], { registry });
  expect(out).toMatchObject({
    status: 0,
    stdout: "Removing login credentials for https://index.docker.io/v1/\n",
  });
  expect(out.engine.asked).toEqual([["registry.logout", undefined]]);
  const found = await rt(["search", "--limit", "3", "--filter", "stars=2", "b"], { registry });
  expect(found.stdout).toBe(
    `NAME      DESCRIPTION                                     STARS     OFFICIAL\na/b       ${"x".repeat(44)}…   7         [OK]\n`,
  );
  const asked = { limit: 3, filters: { stars: ["2"] }, tlsVerify: true };
  expect(found.engine.asked).toEqual([["registry.search", "b", asked]]);
  const template = ["--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}} {{.IsAutomated}}|"];
  expect((await rt(["search", ...template, "b"], { registry })).stdout).toBe("a/b 7 [OK] |\n");
  const json = await rt(["search", "--no-trunc", "--format", "json", "b"], { registry });
  expect(JSON.parse(json.stdout)).toEqual({
    ...{ Description: "x".repeat(50), IsAutomated: "false", IsOfficial: "true", Name: "a/b", StarCount: "7" },
  });
  const failing = { login: async () => Promise.reject(new RtError("unauthorized", "no")) };
  expect(await rt(["login", "-u", "me", "-p", "x"], { registry: failing })).toMatchObject({ status: 1 });
});

test("manifest: what each is asked for, and what it prints", async () => {
  const digest = `sha256:${"0".repeat(64)}` as never;
  const manifest = {
    create: async () => "docker.io/library/x:latest",
    annotate: async () => {},
    remove: async () => {},
    push: async () => ({ digest, references: [{ reference: `docker.io/library/x@${digest}`, digest }] }),
    inspect: async () => ({ kind: "manifest" as const, bytes: Buffer.from('{"a":[],"b":1.0}') }),
  };
  const created = await rt(["manifest", "create", "--insecure", "-a", "x", "y", "z"], { manifest });
  expect(created).toMatchObject({ status: 0, stdout: "Created manifest list docker.io/library/x:latest\n" });
  expect(created.engine.asked).toEqual([
    ["manifest.create", "x", ["y", "z"], { amend: true, tlsVerify: false }],
  ]);
  const argv = ["--os", "linux", "--arch", "arm", "--os-features", "a,b", "--os-features", "c", "x", "y"];
  expect((await rt(["manifest", "annotate", ...argv], { manifest })).engine.asked).toEqual([
    [
      "manifest.annotate",
      "x",
      "y",
      {
        os: "linux",
        architecture: "arm",
        variant: undefined,
        osVersion: undefined,
        osFeatures: ["a", "b", "c"],
      },
    ],
  ]);
  const pushed = await rt(["manifest", "push", "-p", "x"], { manifest });
  expect(pushed.stdout).toBe(`Pushed ref docker.io/library/x@${digest} with digest: ${digest}\n${digest}\n`);
  expect(pushed.engine.asked).toEqual([
    ["manifest.push", "x", { destination: undefined, purge: true, tlsVerify: true }],
  ]);
  const shown = await rt(["manifest", "inspect", "x", "y"], { manifest });
  expect(shown.stdout).toBe('{\n\t"a": [],\n\t"b": 1.0\n}\n');
  const options = { list: "x", verbose: false, tlsVerify: true };
  expect(shown.engine.asked).toEqual([["manifest.inspect", "y", options]]);
  const removed = await rt(["manifest", "rm", "x", "y"], { manifest });
  expect(removed.engine.asked.map(([, name]) => name)).toEqual(["x", "y"]);
});

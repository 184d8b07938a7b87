/** Devices that the host describes (the container device interface): `--device vendor.com/class=name`, and `--gpus`. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { factsNamed } from "../support/probe.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, host } = containerTests();

const fpga = `
cdiVersion: "0.7.0"
kind: acme.com/fpga
containerEdits:
  env: [ACME=global]
  deviceNodes: [{path: /dev/control, type: c, major: 1, minor: 5, permissions: ""}]
devices:
  - name: "0"
    containerEdits:
      env: ["CARD=0", "PATH=/acme:/bin"]
      deviceNodes: [{path: /dev/card, hostPath: /dev/fuse, permissions: r}]
      mounts: [{hostPath: LIBRARY, containerPath: /usr/lib/card.so, options: [ro, nosuid, nodev, bind]}]
      additionalGids: [4242]
  - name: second
    containerEdits: {env: ["SECOND=1"]}
`;
const gpus = {
  cdiVersion: "0.5.0",
  kind: "nvidia.com/gpu",
  devices: ["0", "1", "all"].map((name) => ({ name, containerEdits: { env: [`GPU_${name}=1`] } })),
};

/** Two directories with these files, and rt as a host that knows them. */
function described(files: Record<string, string>) {
  const directory = join(host().dir, `cdi-${Math.random().toString(36).slice(2)}`);
  const directories = ["low", "high"].map((name) => join(directory, name));
  for (const path of directories) mkdirSync(path, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const config = join(directory, "config.toml");
  writeFileSync(config, `cdi-spec-dirs = ${JSON.stringify(directories)}\n`);
  const words = (args: readonly string[]) => ["--config", config, ...args];
  return {
    directories,
    rt: (...args: string[]) => host().rt(words(args)),
    ok: (...args: string[]) => host().ok(words(args)),
  };
}

function card(name = "low/acme.yaml") {
  const library = join(host().dir, "card.so");
  writeFileSync(library, "library\n");
  return described({ [name]: fpga.replace("LIBRARY", library), "low/gpu.json": JSON.stringify(gpus) });
}

const run = ["run", "--rm"];

test("a device brings its environment, nodes, mounts and groups; what is common to its kind comes once", async () => {
  const script = `env | grep -E "^(ACME|CARD|SECOND|PATH)=" | sort; id -G; cat /usr/lib/card.so
    for path in /dev/card /dev/control; do probe try open-for-read $path; probe try open-for-write $path; done`;
  const flags = ["--device", "acme.com/fpga=0", "--device", "acme.com/fpga=second"];
  const output = await card().ok(
    ...run,
    ...flags,
    image,
    "/bin/sh",
    "-c",
    `PATH=$PATH:/bin:/usr/bin; ${script}`,
  );
  expect(output).toContain("ACME=global\nCARD=0\nPATH=/acme:/bin");
  expect(output).toContain("SECOND=1\n");
  expect(output).toMatch(/^[\d ]*\b4242\b/m);
  expect(output).toContain("\nlibrary\n");
  // What may be done with a device is what its node says.
  expect(factsNamed(output, "try")).toEqual([
    ...["open-for-read ok", "open-for-write EPERM"],
    ...["open-for-read ok", "open-for-write ok"],
  ]);
});

test("a device's hooks run, each once", async () => {
  const seen = join(host().dir, "seen");
  const hook = (hookName: string) => ({
    ...{ hookName, path: "/bin/sh", timeout: 20 },
    args: ["sh", "-c", `cat >/dev/null; echo ${hookName} $OF >>${seen}`],
    env: ["OF=device"],
  });
  const hooks = ["createRuntime", "createContainer", "poststop"].map(hook);
  const device = (name: string) => ({ name, containerEdits: {} });
  const document = {
    cdiVersion: "0.6.0",
    kind: "a.b/c",
    containerEdits: { hooks },
    devices: ["d", "e"].map(device),
  };
  await described({ "low/hooks.json": JSON.stringify(document) }).ok(
    ...run,
    "--device",
    "a.b/c=all",
    image,
    "true",
  );
  expect(readFileSync(seen, "utf8")).toBe("createRuntime device\ncreateContainer device\npoststop device\n");
});

test("all of a kind, by name or because no device is called so; --gpus says the same of one kind", async () => {
  const { ok } = card();
  const environment = async (...flags: string[]) =>
    (await ok(...run, ...flags, image, "/bin/sh", "-c", "PATH=/bin:/usr/bin; env"))
      .split("\n")
      .filter((line) => /^(CARD|SECOND|GPU)/.test(line))
      .sort();
  expect(await environment("--device", "acme.com/fpga=all")).toEqual(["CARD=0", "SECOND=1"]);
  expect(await environment("--device", "nvidia.com/gpu=all")).toEqual(["GPU_all=1"]);
  expect(await environment("--gpus", "all")).toEqual(["GPU_all=1"]);
  expect(await environment("--gpus", "2")).toEqual(["GPU_0=1", "GPU_1=1"]);
  expect(await environment("--gpus", "device=1")).toEqual(["GPU_1=1"]);
});

test("it is looked for at each start: what has changed since is what it gets", async () => {
  const world = card();
  const [low] = world.directories;
  const id = (await world.ok("create", "--device", "acme.com/fpga=second", image, "env")).trim();
  expect(await world.ok("start", "-a", id)).toContain("SECOND=1\n");
  writeFileSync(join(low!, "acme.yaml"), fpga.replace("LIBRARY", "/nowhere").replace("SECOND=1", "SECOND=2"));
  expect(await world.ok("start", "-a", id)).toContain("SECOND=2\n");
  writeFileSync(join(low!, "acme.yaml"), "");
  const { code, stderr } = await world.rt("start", "-a", id);
  expect([code, oneLine(stderr)]).toEqual([
    1,
    expect.stringContaining("--device acme.com/fpga=second: no CDI"),
  ]);
  const requests = await world.ok("inspect", "-f", "{{json .HostConfig.DeviceRequests}}", id);
  expect(JSON.parse(requests)).toMatchObject([{ Driver: "cdi", DeviceIDs: ["acme.com/fpga=second"] }]);
  await world.ok("rm", id);
});

test("the later directory counts, and two files of one are one too many", async () => {
  const one = (value: string) =>
    JSON.stringify({
      ...{ cdiVersion: "0.6.0", kind: "a.b/c" },
      devices: [{ name: "d", containerEdits: { env: [`FROM=${value}`] } }],
    });
  const above = described({ "low/a.json": one("low"), "low/b.json": one("low"), "high/a.json": one("high") });
  expect(await above.ok(...run, "--device", "a.b/c=d", image, "env")).toContain("FROM=high\n");
  const twice = described({ "high/a.json": one("x"), "high/b.json": one("y") });
  const { code, stderr } = await twice.rt(...run, "--device", "a.b/c=d", image, "true");
  expect([code, oneLine(stderr)]).toEqual([
    125,
    expect.stringMatching(/--device a\.b\/c=d: more than one file describes it: \S+\/a\.json, \S+\/b\.json/),
  ]);
});

test("a file that is wrong is named with what is wrong, and hides no other", async () => {
  const world = described({
    "low/bad.json": "{",
    "low/field.yaml": "cdiVersion: 0.6.0\nkind: a.b/c\ndevices: [{name: d, containerEdits: {envs: []}}]\n",
    "low/good.json": JSON.stringify(gpus),
    "low/readme.txt": "not one",
  });
  expect(await world.ok(...run, "--gpus", "1", image, "env")).toContain("GPU_0=1\n");
  const { code, stderr } = await world.rt(...run, "--device", "a.b/c=d", image, "true");
  expect(code).toBe(125);
  expect(oneLine(stderr)).toContain("--device a.b/c=d: no CDI specification in ");
  expect(stderr).toMatch(/\/bad\.json: .*\/field\.yaml: \S+containerEdits\.envs is not a field of CDI/);
  const info = JSON.parse(await world.ok("info", "--format", "{{json .}}"));
  expect(info.CDISpecDirs).toEqual(world.directories);
  expect(info.DiscoveredDevices.map(({ ID }: { ID: string }) => ID)).toEqual(
    ["0", "1", "all"].map((name) => `nvidia.com/gpu=${name}`),
  );
  expect(info.Warnings.join("\n")).toContain("bad.json");
});

test("what cannot be is said in one line that names the device and the file", async () => {
  const odd = (edits: object) => ({
    ...{ cdiVersion: "1.1.0", kind: "a.b/c" },
    devices: [{ name: "d", containerEdits: edits }],
  });
  for (const [edits, said] of [
    [{ deviceNodes: [{ path: "/dev/none" }] }, "no such device /dev/none on the host"],
    [{ deviceNodes: [{ path: "/dev/zero", type: "b" }] }, "/dev/zero is of type c, and not b"],
    [{ deviceNodes: [{ path: "/etc/passwd" }] }, "/etc/passwd is not a device node"],
    [{ intelRdt: { closID: "x" } }, "intelRdt is not done here"],
    [{ netDevices: [] }, "netDevices is not done here"],
    [{ mounts: [{ hostPath: "/etc", containerPath: "/./" }] }, "a mount on / is not possible"],
    [{ mounts: [{ hostPath: "etc", containerPath: "/x" }] }, "the mount's hostPath etc is not absolute"],
    [{ mounts: [{ hostPath: "/nowhere/at/all", containerPath: "/x" }] }, "/nowhere/at/all"],
  ] as const) {
    const world = described({ "low/odd.json": JSON.stringify(odd(edits)) });
    const { code, stderr } = await world.rt(...run, "--device", "a.b/c=d", image, "true");
    expect([said, code, oneLine(stderr)]).toEqual([said, 125, expect.stringContaining(said)]);
    if (!said.startsWith("/nowhere")) expect(stderr).toMatch(/--device a\.b\/c=d: \S+\/odd\.json: /);
  }
  const { code, stderr } = await card().rt(
    ...[...run, "-v", "/usr/lib/card.so", "--device", "acme.com/fpga=0", image, "true"],
  );
  expect([code, oneLine(stderr)]).toEqual([
    125,
    expect.stringContaining("/usr/lib/card.so, where the container"),
  ]);
});

test("names that are none, and counts that cannot be", async () => {
  for (const [flag, text, said] of [
    ["--device", "acme.com/fpga=", "want vendor.com/class=name"],
    ["--device", "acme/fpga=a b", "want vendor.com/class=name"],
    ["--device", "=", "want vendor.com/class=name"],
    ["--device", "acme.com/fpga=nine", "of acme.com/fpga there are 0, second"],
    ["--device", "other.com/x=all", "no CDI specification in "],
    ["--gpus", "3", "--device nvidia.com/gpu=2: no CDI specification"],
    ["--gpus", "0", "want all, or 1 to 1024"],
    ["--gpus", "some", "the count is all or a number"],
    ["--gpus", "driver=amd,count=1", 'no driver "amd"'],
    ["--gpus", "", "want all, a number, or device="],
  ] as const) {
    const { code, stderr } = await card().rt(...run, flag, text, image, "true");
    expect([text, code, oneLine(stderr)]).toEqual([text, 125, expect.stringContaining(said)]);
  }
});

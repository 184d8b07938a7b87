import { expect, test } from "bun:test";
import { environmentOf } from "../../../../src/base/environment.ts";
import { RtError } from "../../../../src/base/errors.ts";
import RunCommand from "../../../../src/cli/container/run.ts";
import { runOptions } from "../../../../src/cli/container/run-options.ts";
import { readCommand } from "../../../../src/cli/grammar/read.ts";
import type { RunOptions } from "../../../../src/engine/container/run-options.ts";
import { type AskedSettings, defaultSettings } from "../../../../src/settings/container-settings.ts";
import { capture } from "../capture.ts";

function options(...argv: string[]): RunOptions {
  const command = readCommand(RunCommand, argv, { path: "run", context: capture() })!;
  return runOptions(command, environmentOf({ TERM: "xterm" }), undefined);
}

test("nothing said", () => {
  expect(options("alpine")).toEqual({
    image: "alpine",
    pull: { policy: "missing", platform: undefined, listener: undefined },
    settings: defaultSettings(),
    name: undefined,
    sigProxy: true,
  });
});

test.each<[string, Partial<AskedSettings>]>([
  ["-it --rm x sh -c ls", { openStdin: true, tty: true, autoRemove: true, command: ["sh", "-c", "ls"] }],
  ["--entrypoint /bin/sh x -c ls", { entrypoint: ["/bin/sh"], command: ["-c", "ls"] }],
  ["--entrypoint= x", { entrypoint: [] }],
  ["--health-cmd= --health-retries 0 --health-interval 0 --no-healthcheck=false x", {}],
  [
    "--health-cmd true --health-interval 1m30s --health-timeout 500ms --health-retries 4 x",
    {
      healthcheck: {
        ...{ test: ["CMD-SHELL", "true"], interval: 90e9, timeout: 5e8, retries: 4 },
        ...{ startPeriod: 0, startInterval: 0 },
      },
    },
  ],
  [
    "--health-start-period 1h --health-start-interval 2s --health-on-failure kill x",
    {
      healthcheck: {
        ...{ test: [], interval: 0, timeout: 0, retries: 0 },
        ...{ startPeriod: 3600e9, startInterval: 2e9 },
      },
      healthOnFailure: "kill",
    },
  ],
  ["-h box -u 1000:users -w /srv x", { hostname: "box", user: "1000:users", workingDirectory: "/srv" }],
  ["-e A=1 -e TERM x", { env: ["A=1", "TERM=xterm"] }],
  ["--net host --sysctl kernel.shmmax=1 x", { networkMode: "host", sysctls: { "kernel.shmmax": "1" } }],
  [
    "--cap-add net_admin --cap-add CAP_NET_ADMIN --cap-drop all x",
    { capAdd: ["CAP_NET_ADMIN"], capDrop: ["ALL"] },
  ],
  [
    "--ulimit nofile=1 --ulimit core=0 --ulimit nofile=2 x",
    {
      ulimits: [
        { name: "nofile", soft: 2, hard: 2 },
        { name: "core", soft: 0, hard: 0 },
      ],
    },
  ],
  ["--shm-size 1g --stop-signal int x", { shmSize: 2 ** 30, stopSignal: "SIGINT" }],
  ["-l a=b --label c --annotation d=e x", { labels: { a: "b", c: "" }, annotations: { d: "e" } }],
  ["--init --read-only --privileged x", { init: true, readonlyRootfs: true, privileged: true }],
  [
    "--pid host --ipc=shareable --uts private --cgroupns ns:/run/c --network container:db x",
    {
      pidMode: "host",
      ipcMode: "shareable",
      utsMode: "",
      cgroupnsMode: "ns:/run/c",
      networkMode: "container:db",
    },
  ],
  ["--domainname example.org --oom-score-adj -7 x", { domainname: "example.org", oomScoreAdj: -7 }],
  [
    "--network shop --bandwidth-up 8mbit --bandwidth-down 1mbps x",
    { bandwidthUp: 8_000_000, bandwidthDown: 8_000_000 },
  ],
  ["-i x", { attached: ["stdin", "stdout", "stderr"] }],
  ["-a STDERR --attach stdin x", { attached: ["stdin", "stderr"] }],
  ["--user 4294967294 x", { user: "4294967294" }],
])("%s", (line, expected) => expect(options(...line.split(" ")).settings).toMatchObject(expected));

test("what is no setting of the container", () => {
  const asked = options(
    "--name",
    "/web",
    "--sig-proxy=false",
    "--pull",
    "never",
    "--platform",
    "linux/arm64",
    "x",
  );
  expect(asked).toMatchObject({
    name: "web",
    sigProxy: false,
    pull: { policy: "never", platform: "linux/arm64" },
  });
  expect(asked.settings).toEqual(defaultSettings());
});

test.each([
  [["--name", "a"], "invalid --name"],
  [["--name", "a b"], "invalid --name"],
  [["--name", "-ab"], "invalid --name"],
  [["-h", "a\nb"], "invalid --hostname"],
  [["-h", "a".repeat(65)], "invalid --hostname"],
  [["-h", "-a"], "invalid --hostname"],
  [["-w", "relative"], "invalid --workdir"],
  [["-u", "a:b:c"], "invalid --user"],
  [["-u", "4294967295"], "ids are 0 to 4294967294"],
  [["-u", "-1"], "ids are 0 to 4294967294"],
  [["-u", "0:99999999999"], "ids are 0 to 4294967294"],
  [["--pull", "maybe"], "invalid --pull"],
  [["--shm-size", "0"], "must be more than 0"],
  [["--network", "a/b"], "invalid --network"],
  [["--network", "none", "--ip", "10.0.0.1"], "no network"],
  [["--network", "lab", "--ip", "fd00::1"], "not an IPv4 address"],
  [["--network", "lab", "--mac-address", "02:42"], "invalid --mac-address"],
  [["--network", "lab", "--network-alias", "a b"], "invalid --network-alias"],
  [["--network", "container:"], "invalid container format"],
  [["--pid", "container"], "invalid --pid"],
  [["--ipc", "ns:run/ipc"], "an absolute path"],
  [["--uts", "shareable"], "invalid --uts"],
  [["--oom-score-adj", "-1001"], "[-1000, 1000]"],
  [["-a", "stdlog"], "invalid --attach"],
])("%j is refused", (argv, expected) => {
  expect(() => options(...argv, "x")).toThrow(RtError);
  expect(() => options(...argv, "x")).toThrow(expected);
});

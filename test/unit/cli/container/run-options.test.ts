import { expect, test } from "bun:test";
import { environmentOf } from "../../../../src/base/environment.ts";
import { RtError } from "../../../../src/base/errors.ts";
import RunCommand from "../../../../src/cli/container/run.ts";
import { runOptions } from "../../../../src/cli/container/run-options.ts";
import { readCommand } from "../../../../src/cli/grammar/read.ts";
import type { RunOptions } from "../../../../src/engine/container/run-options.ts";
import { capture } from "../capture.ts";

function options(...argv: string[]): RunOptions {
  const command = readCommand(RunCommand, argv, { path: "run", context: capture() })!;
  return runOptions(command, environmentOf({ TERM: "xterm" }));
}

test("nothing said", () => {
  expect(options("alpine")).toEqual({
    image: "alpine",
    command: [],
    entrypoint: undefined,
    name: undefined,
    autoRemove: false,
    interactive: false,
    tty: false,
    sigProxy: true,
    pull: "missing",
    platform: undefined,
    onPull: undefined,
    env: [],
    workingDirectory: undefined,
    user: undefined,
    groupAdd: [],
    hostname: undefined,
    labels: {},
    annotations: {},
    stopSignal: undefined,
    mounts: [],
    readonlyRootfs: false,
    shmSize: 64 << 20,
    privileged: false,
    capAdd: [],
    capDrop: [],
    noNewPrivileges: false,
    devices: [],
    init: false,
    networkMode: "none",
    extraHosts: [],
    dns: [],
    ulimits: [],
    sysctls: {},
  });
});

test.each<[string, Partial<RunOptions>]>([
  ["-it --rm x sh -c ls", { interactive: true, tty: true, autoRemove: true, command: ["sh", "-c", "ls"] }],
  ["--entrypoint /bin/sh x -c ls", { entrypoint: ["/bin/sh"], command: ["-c", "ls"] }],
  ["--entrypoint= x", { entrypoint: [] }],
  [
    "--name /web -h box -u 1000:users -w /srv x",
    { name: "web", hostname: "box", user: "1000:users", workingDirectory: "/srv" },
  ],
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
  [
    "--shm-size 1g --stop-signal int --pull never x",
    { shmSize: 2 ** 30, stopSignal: "SIGINT", pull: "never" },
  ],
  ["-l a=b --label c --annotation d=e x", { labels: { a: "b", c: "" }, annotations: { d: "e" } }],
  [
    "--sig-proxy=false --init --read-only --privileged x",
    { sigProxy: false, init: true, readonlyRootfs: true, privileged: true },
  ],
  ["--user 4294967294 x", { user: "4294967294" }],
])("%s", (line, expected) => expect(options(...line.split(" "))).toMatchObject(expected));

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
  [["--network", "container:x"], "is not there yet"],
])("%j is refused", (argv, expected) => {
  expect(() => options(...argv, "x")).toThrow(RtError);
  expect(() => options(...argv, "x")).toThrow(expected);
});

import { describe, expect, test } from "bun:test";
import { planOf } from "../../../../src/cli/system/init-plan.ts";
import type { InitContainer } from "../../../../src/engine/machine/config.ts";
import { capture } from "../capture.ts";

function container(fields: Partial<InitContainer>): InitContainer {
  return {
    name: "web",
    image: "busybox",
    args: [],
    command: [],
    restart: "no",
    console: false,
    stopTimeout_ms: 10_000,
    ...fields,
  };
}

function plan(fields: Partial<InitContainer>, terminal = true) {
  return planOf(container(fields), terminal, capture({ HOME: "/", SECRET: "s" }));
}

test("flags, image and command become what rt run would make of them", () => {
  const { options, argv } = plan({
    args: ["--network=host", "-v", "/data:/data", "-e", "SECRET"],
    command: ["httpd", "-f"],
  });
  expect(options).toMatchObject({
    image: "busybox",
    name: "web",
    settings: { command: ["httpd", "-f"], autoRemove: true },
  });
  expect(options.settings).toMatchObject({
    networkMode: "host",
    openStdin: false,
    tty: false,
    env: ["SECRET=s"],
  });
  expect(argv).toEqual([
    ...["--rm", "--name", "web", "--network=host", "-v", "/data:/data", "-e", "SECRET"],
    ...["busybox", "httpd", "-f"],
  ]);
});

test("the console is a terminal where it is one, and nothing that is typed there takes it away", () => {
  expect(plan({ console: true }).argv).toContain("--detach-keys=");
  expect(plan({ console: true }).options.settings).toMatchObject({ openStdin: true, tty: true });
  expect(plan({ console: true }, false).options.settings).toMatchObject({ openStdin: true, tty: false });
});

describe("flags that do not go with init", () => {
  const cases: [Partial<InitContainer>, RegExp][] = [
    [{ args: ["alpine"] }, /^container "web": args holds more than flags/],
    [{ args: ["--", "x"], command: ["y"] }, /args holds more than flags/],
    [{ args: ["--name=other"] }, /args holds --name/],
    [{ args: ["--rm=false"] }, /args holds --rm=false/],
    [{ args: ["-it"] }, /args holds -i or -t/],
    [{ args: ["--root", "/x"] }, /args holds --root, which is not for a container of init/],
    [{ args: ["--state=/x"], console: true }, /args holds --state/],
    [{ args: ["--storage-driver", "copy"] }, /args holds --storage-driver/],
    [{ args: ["-D"] }, /args holds -D/],
    [{ args: ["--cidfile=/x"] }, /args holds --cidfile/],
    [{ args: ["--detach-keys=a"], console: true }, /args holds --detach-keys/],
    [{ args: ["--help"] }, /args holds --help/],
    [{ args: ["--netwrk=host"] }, /unknown flag --netwrk .*did you mean --network/],
    [{ args: ["-d"] }, /args holds -d: all but the console's run in the background here/],
    [{ args: ["--restart=always"] }, /args holds --restart: there is the key restart beside args/],
    [{ args: ["--network host"] }, /unknown flag "--network host".*a flag and its value are two words/],
    [{ name: "-" }, /invalid --name/],
    [{ args: ["-v"] }, /container "web": /],
  ];
  for (const [fields, message] of cases) {
    test(JSON.stringify(fields), () => expect(() => plan(fields)).toThrow(message));
  }
});

test("a network is said by any of its flags", () => {
  const says = (...args: string[]) => plan({ args }).saysNetwork;
  expect([
    says("--network=host"),
    says("--net=host"),
    says("--net", "none"),
    says("--ip", "172.17.0.9"),
  ]).toEqual([true, true, true, true]);
  expect(says("--rm")).toBe(false);
});

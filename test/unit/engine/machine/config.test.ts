import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readInitConfig } from "../../../../src/engine/machine/config.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-init-config-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Reads a file that says this, whose name is "f" in what is thrown. */
async function configOf(text: string) {
  const file = join(dir, "init.toml");
  writeFileSync(file, text);
  try {
    return await readInitConfig(file);
  } catch (error) {
    throw new Error((error as Error).message.replace(file, "f"));
  }
}

const one = '[[container]]\nname = "a"\nimage = "i"\n';

test("all keys", async () => {
  const config = await configOf(
    `hostname = "box"
     on-exit = "reboot"
     modules = ["virtio_net"]
     [network]
     address = "192.0.2.10/24"
     [[mount]]
     source = "/dev/vda"
     target = "/var/lib/rt"
     type = "ext4"
     options = "ro,noatime,data=ordered"
     [[mount]]
     source = "/a"
     target = "/b"
     options = "bind"
     [[container]]
     name = "web"
     image = "oci-archive:/images/web.tar"
     args = ["--network=host", "-v", "/data:/data"]
     command = ["httpd", "-f"]
     restart = "always"
     stop-timeout = 2.5
     [[container]]
     name = "shell"
     image = "busybox"
     console = true`,
  );
  expect(config).toEqual({
    hostname: "box",
    onExit: "reboot",
    modules: ["virtio_net"],
    network: {
      ...{ dhcp: false, gateways: [], dns: [], search: [] },
      addresses: [{ address: { family: 4, value: 0xc000020an }, prefix: 24 }],
    },
    mounts: [
      {
        source: "/dev/vda",
        target: "/var/lib/rt",
        type: "ext4",
        options: ["ro", "noatime", "data=ordered"],
      },
      { source: "/a", target: "/b", type: "", options: ["bind"] },
    ],
    containers: [
      {
        name: "web",
        image: "oci-archive:/images/web.tar",
        args: ["--network=host", "-v", "/data:/data"],
        command: ["httpd", "-f"],
        restart: "always",
        console: false,
        stopTimeout_ms: 2500,
      },
      {
        name: "shell",
        image: "busybox",
        args: [],
        command: [],
        restart: "no",
        console: true,
        stopTimeout_ms: 10_000,
      },
    ],
  });
});

test("what is left out", async () => {
  const config = await configOf(one);
  expect(config).toMatchObject({ hostname: undefined, onExit: "poweroff", mounts: [] });
});

describe("one line that names the key", () => {
  const cases: [string, string][] = [
    ["", "there is no [[container]] in it"],
    [`hostnam = "x"\n${one}`, 'unknown key "hostnam"; did you mean hostname?'],
    [`hostname = "no spaces"\n${one}`, "hostname must be at most 64 letters, digits, dots and dashes"],
    [`hostname = 3\n${one}`, "hostname must be a string"],
    [`on-exit = "off"\n${one}`, 'on-exit must be "poweroff" or "reboot" or "halt"'],
    ['[container]\nname = "a"', "container must be written as [[container]]"],
    ["container = [3]", "container[0] must be a table"],
    ['[[container]]\nimage = "i"', "container[0].name is missing"],
    [`${one}[[container]]\nname = "b"`, 'container "b": image is missing'],
    [`${one}[[container]]\nname = "a"\nimage = "j"`, 'two containers are called "a"'],
    [`${one}imge = "i"`, 'unknown key "container[0].imge"; did you mean container[0].image?'],
    [`${one}on-exit = "halt"`, 'unknown key "container[0].on-exit"; it belongs above the first table'],
    [`image = "i"\n${one}`, 'unknown key "image"; it belongs below a [[container]]'],
    [`target = "/x"\n${one}`, 'unknown key "target"; it belongs below a [[mount]]'],
    [
      `${one}memory = "1g"`,
      'unknown key "container[0].memory"; there are name, image, args, command, restart, console, stop-timeout',
    ],
    [`${one}args = "-it"`, 'container "a": args must be an array of strings'],
    [`${one}command = [1]`, 'container "a": command must be an array of strings'],
    [`${one}restart = "sometimes"`, 'container "a": restart must be "no" or "always" or "on-failure"'],
    [`${one}console = 1`, 'container "a": console must be true or false'],
    ...["nan", "inf", "-inf", "1e9"].map((value): [string, string] => [
      `${one}stop-timeout = ${value}`,
      'container "a": stop-timeout must be a number of seconds, at most 3600',
    ]),
    [`${one}stop-timeout = -1`, 'container "a": stop-timeout must be a number of seconds, at most 3600'],
    [
      `${one}console = true\n[[container]]\nname = "b"\nimage = "i"\nconsole = true`,
      "there is one console, and more than one container has console = true",
    ],
    [`${one}[[mount]]\nsource = "/dev/vda"`, "mount[0].target is missing"],
    [`${one}[[mount]]\ntarget = "x"\ntype = "ext4"`, "mount[0].target must be an absolute path"],
    [`${one}[[mount]]\ntarget = "/x"`, 'mount[0].type is missing: a file system such as "ext4"'],
    [`${one}[[mount]]\ntarget = "/x"\noptions = "bind"`, "mount[0].source is missing"],
  ];
  for (const [text, message] of cases) {
    test(JSON.stringify(text.replace(one, "…")), () =>
      expect(configOf(text)).rejects.toThrow(new Error(`config file f: ${message}`)),
    );
  }
});

describe("the place of what is no TOML", () => {
  const cases: [text: string, line: number, column: number][] = [
    ["x = [", 1, 5],
    [`${one}\n# a comment\n\nargs = ["a",\n  "b\n]\n`, 8, 5],
    [`${one}command = nothing\n`, 4, 11],
    [`${one}name = "again"\n`, 4, 1],
    ["hostname = 'x\non-exit = 'y'\n", 1, 14],
  ];
  for (const [text, line, column] of cases) {
    test(JSON.stringify(text), () =>
      expect(configOf(text)).rejects.toThrow(
        new RegExp(`^config file f: line ${line}: \\S.* at column ${column}$`),
      ),
    );
  }
});

test("an empty name of the file is no default", () => {
  expect(() => readInitConfig("")).toThrow("--config, or rt.config=, names no file");
});

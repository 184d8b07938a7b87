import { describe, expect, test } from "bun:test";
import { parseInitConfig, readInitConfig } from "../../../../src/engine/machine/config.ts";

const one = '[[container]]\nname = "a"\nimage = "i"\n';

test("all keys", () => {
  const config = parseInitConfig(
    `hostname = "box"
     on-exit = "reboot"
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
    "f",
  );
  expect(config).toEqual({
    hostname: "box",
    onExit: "reboot",
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

test("what is left out", () => {
  const config = parseInitConfig(one, "f");
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
    [
      `${one}on-exit = "halt"`,
      'unknown key "container[0].on-exit"; it belongs above the first [[mount]] and [[container]]',
    ],
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
      expect(() => parseInitConfig(text, "/etc/x.toml")).toThrow(
        new Error(`config file /etc/x.toml: ${message}`),
      ),
    );
  }
});

describe("the line of what is no TOML", () => {
  const cases: [string, number][] = [
    ["x = [", 1],
    [`${one}\n# a comment\n\nargs = ["a",\n  "b\n]\n`, 7],
    [`${one}command = nothing\n`, 4],
    [`${one}name = "again"\n`, 4],
    ["hostname = 'x\non-exit = 'y'\n", 1],
  ];
  for (const [text, line] of cases) {
    test(JSON.stringify(text), () =>
      expect(() => parseInitConfig(text, "f")).toThrow(new RegExp(`^config file f: line ${line}: \\S`)),
    );
  }
});

test("an empty name of the file is no default", () => {
  expect(() => readInitConfig("")).toThrow("--config, or rt.config=, names no file");
});

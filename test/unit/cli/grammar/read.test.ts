import { describe, expect, test } from "bun:test";
import { RtError } from "../../../../src/base/errors.ts";
import { type CommandClass, Option, RtCommand } from "../../../../src/cli/command.ts";
import { readCommand } from "../../../../src/cli/grammar/read.ts";
import { capture } from "../capture.ts";

/** As `run`: the first argument ends the flags. */
class Running extends RtCommand {
  static override later = { m: "limits come later" };
  env = Option.Array("-e,--env", []);
  volumes = Option.Array("-v,--volume", []);
  interactive = Option.Boolean("-i,--interactive", false);
  tty = Option.Boolean("-t,--tty", false);
  proxy = Option.Boolean("--sig-proxy", true);
  name = Option.String("--name");
  hostname = Option.String("-h,--hostname");
  image = Option.String({ name: "IMAGE" });
  command = Option.Proxy({ name: "COMMAND" });
  override async execute() {
    return 0;
  }
}

/** As `kill`: flags and arguments mix. */
class Listing extends RtCommand {
  all = Option.Boolean("-a,--all", false);
  signal = Option.String("-s,--signal", "KILL");
  names = Option.Rest({ name: "NAME", required: 1 });
  override async execute() {
    return 0;
  }
}

class Optional extends RtCommand {
  pattern = Option.String({ name: "PATTERN", required: false });
  override async execute() {
    return 0;
  }
}

function read<T extends RtCommand>(commandClass: CommandClass<T>, argv: string[]): T {
  const command = readCommand(commandClass, argv, { path: "verb", context: capture() });
  if (command === undefined) throw new Error("help was asked for");
  return command;
}

function failure(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    expect(error.exitCode).toBe(125);
    expect(error.message).not.toContain("\n");
    return error.message;
  }
  throw new Error("it did not fail");
}

const idioms: [string, string[], Partial<Running>][] = [
  ["a cluster of switches", ["-it", "x"], { interactive: true, tty: true }],
  ["a cluster that ends with a value", ["-itv", "a:b", "x"], { tty: true, volumes: ["a:b"] }],
  ["a value in the cluster", ["-itva:b", "x"], { tty: true, volumes: ["a:b"] }],
  ["a value joined to a letter", ["-eFOO=1", "x"], { env: ["FOO=1"] }],
  ["a value after a letter and =", ["-e=FOO=1", "x"], { env: ["FOO=1"] }],
  ["a letter and = and nothing, as in pflag", ["-e=", "x"], { env: ["="] }],
  ["a value after a long flag", ["--env", "FOO", "x"], { env: ["FOO"] }],
  ["a value after a long flag and =", ["--env=FOO=1=2", "x"], { env: ["FOO=1=2"] }],
  ["an empty value", ["--name=", "x"], { name: "" }],
  ["a value that looks like a flag", ["--name", "--tty", "x"], { name: "--tty", tty: false }],
  ["a value that is --", ["-e", "--", "x"], { env: ["--"] }],
  ["the last scalar wins", ["--name", "a", "--name=b", "x"], { name: "b" }],
  ["all of a list, in order", ["-e", "a", "--env=b", "-ec", "x"], { env: ["a", "b", "c"] }],
  ["a switch turned off", ["--sig-proxy=false", "x"], { proxy: false }],
  ["a switch turned on by word", ["--tty=TRUE", "x"], { tty: true }],
  ["a short switch turned off", ["-t", "-t=0", "x"], { tty: false }],
  ["the last switch wins", ["--tty", "--tty=false", "x"], { tty: false }],
  ["a letter that elsewhere means help", ["-h", "box", "x"], { hostname: "box" }],
  [
    "flags end at the first argument",
    ["x", "ls", "-it", "--help"],
    { command: ["ls", "-it", "--help"], tty: false },
  ],
  [
    "a -- before the first argument",
    ["-i", "--", "x", "-t"],
    { interactive: true, image: "x", command: ["-t"] },
  ],
  ["a -- after the first argument is the command's", ["x", "--", "a"], { command: ["--", "a"] }],
  ["a lone dash is an argument", ["-", "a"], { image: "-", command: ["a"] }],
  ["global flags among the command's", ["--root", "/r", "-D", "x"], { root: "/r", debug: true }],
];

describe("Docker's idioms", () => {
  for (const [what, argv, expected] of idioms) {
    test(`${what}: ${argv.join(" ")}`, () => {
      expect(read(Running, argv)).toMatchObject(expected);
    });
  }

  test("flags and arguments mix where there is no command to run", () => {
    expect(read(Listing, ["a", "-s", "HUP", "b", "--all"])).toMatchObject({
      names: ["a", "b"],
      signal: "HUP",
      all: true,
    });
    expect(read(Listing, ["a", "--", "-s", "--all"])).toMatchObject({
      names: ["a", "-s", "--all"],
      all: false,
    });
  });

  test("defaults stay where nothing is said", () => {
    expect(read(Running, ["x"])).toMatchObject({ env: [], proxy: true, name: undefined, command: [] });
  });

  test("an optional argument", () => {
    expect(read(Optional, []).pattern).toBeUndefined();
    expect(read(Optional, ["a"]).pattern).toBe("a");
  });

  test("flags in front of the path come first, and are none of those that were given to the command", () => {
    const front = [
      { name: "--root", value: "/front" },
      { name: "--state", value: "/s" },
    ];
    const command = readCommand(Running, ["--root=/r", "x"], { path: "a b", context: capture(), front })!;
    expect(command).toMatchObject({ root: "/r", state: "/s", path: ["a", "b"] });
    expect(command.given).toEqual([{ name: "--root", value: "/r" }]);
  });

  test("help ends the reading, whatever follows", () => {
    const calling = { path: "verb", context: capture() };
    expect(readCommand(Listing, ["a", "--help", "--nonsense"], calling)).toBeUndefined();
    expect(readCommand(Listing, ["-ah", "-Z"], calling)).toBeUndefined();
    expect(readCommand(Running, ["--help"], calling)).toBeUndefined();
  });
});

describe("one line for what is wrong", () => {
  const errors: [string, () => unknown, string][] = [
    [
      "an unknown flag and the nearest",
      () => read(Running, ["--emv", "a"]),
      'unknown flag --emv for "verb": did you mean --env?  (see rt verb --help)',
    ],
    [
      "an abbreviation",
      () => read(Running, ["--inter"]),
      'unknown flag --inter for "verb": did you mean --interactive?  (see rt verb --help)',
    ],
    [
      "nothing near",
      () => read(Running, ["--xyzzy"]),
      'unknown flag --xyzzy for "verb"  (see rt verb --help)',
    ],
    [
      "a letter in a cluster",
      () => read(Running, ["-itZ"]),
      'unknown flag -Z in -itZ for "verb"  (see rt verb --help)',
    ],
    [
      "a dash forgotten",
      () => read(Running, ["-name", "a"]),
      'unknown flag -n in -name for "verb": did you mean --name?  (see rt verb --help)',
    ],
    ["no value", () => read(Running, ["--name"]), "flag needs an argument: --name  (see rt verb --help)"],
    [
      "no value of a letter",
      () => read(Running, ["-ite"]),
      "flag needs an argument: --env  (see rt verb --help)",
    ],
    [
      "no truth",
      () => read(Running, ["--tty=maybe"]),
      "invalid value maybe for --tty: want true or false  (see rt verb --help)",
    ],
    ["bad syntax", () => read(Running, ["--=x"]), "bad flag syntax: --=x  (see rt verb --help)"],
    ["bad syntax", () => read(Running, ["---tty"]), "bad flag syntax: ---tty  (see rt verb --help)"],
    ["no argument", () => read(Running, []), '"verb" needs IMAGE  (see rt verb --help)'],
    ["no argument of a list", () => read(Listing, []), '"verb" needs NAME  (see rt verb --help)'],
    [
      "too many",
      () => read(Optional, ["a", "b"]),
      '"verb" takes one argument, got b as well  (see rt verb --help)',
    ],
    [
      "a flag to come",
      () => read(Running, ["-m", "1g"]),
      "verb -m is not there yet: limits come later  (see rt verb --help)",
    ],
    [
      "an object's own words",
      () => read(Running, ["--constructor"]),
      'unknown flag --constructor for "verb"  (see rt verb --help)',
    ],
    [
      "control characters",
      () => read(Running, ["--a\u001b[2J\n"]),
      'unknown flag "--a\\u001b[2J\\n" for "verb"  (see rt verb --help)',
    ],
  ];
  for (const [what, action, expected] of errors) {
    test(`${what}: ${expected}`, () => expect(failure(action)).toBe(expected));
  }
});

import { describe, expect, test } from "bun:test";
import { RtError, withCause } from "../../../src/base/errors.ts";
import { runCli } from "../../../src/cli/cli.ts";
import { OutputClosed } from "../../../src/cli/output/output.ts";
import { messageOf, reportError } from "../../../src/cli/output/report.ts";
import { commands, groups, wordsOf } from "../../../src/cli/table.ts";
import { capture } from "./capture.ts";

async function rt(...argv: string[]) {
  const context = capture();
  const code = await runCli(argv, context);
  return { out: context.stdout.text, err: context.stderr.text, code };
}

describe("finding the command", () => {
  test.each([
    [["--version"], /^rt version \d+\.\d+\.\d+, build \S+\n$/],
    [["-v"], /^rt version /],
    [["--debug", "--version"], /^rt version /],
    [[], /^Usage: rt \[OPTIONS\] COMMAND\n/],
    [["--help"], /^Usage: rt \[OPTIONS\] COMMAND\n/],
    [["help"], /^Usage: rt \[OPTIONS\] COMMAND\n/],
    [["run", "--help"], /^Usage: rt run \[OPTIONS\] IMAGE/],
    [["--root", "/r", "run", "--help"], /^Usage: rt run /],
    [["help", "run"], /^Usage: rt run /],
    [["help", "container", "ls"], /^Usage: rt container ls /],
    [["container"], /^Usage: rt container COMMAND/],
    [["container", "--help"], /^Usage: rt container COMMAND/],
    [["image", "-h"], /^Usage: rt image COMMAND/],
    [["ps", "-h"], /^Usage: rt ps /],
  ])("rt %j", async (argv, expected) => {
    const { out, err, code } = await rt(...argv);
    expect(err).toBe("");
    expect(out).toMatch(expected);
    expect(code).toBe(0);
  });

  test.each([
    [["rnu"], 'rt: unknown command "rnu": did you mean "run"?  (see rt --help)\n'],
    [
      ["container", "lss"],
      'rt: unknown command "container lss": did you mean "container ls"?  (see rt container --help)\n',
    ],
    [["xyzzy"], 'rt: unknown command "xyzzy"  (see rt --help)\n'],
    [["__proto__"], 'rt: unknown command "__proto__"  (see rt --help)\n'],
    [["bu\u001b[31mild"], 'rt: unknown command "bu\\u001b[31mild"  (see rt --help)\n'],
    [
      ["compose", "x"],
      'rt: "compose" is not there yet: docker-compose works with DOCKER_HOST at the socket of "rt daemon"  (see rt --help)\n',
    ],
    [["--rot", "/x", "ps"], "rt: unknown flag --rot: did you mean --root?  (see rt --help)\n"],
    [["--root"], "rt: flag needs an argument: --root  (see rt --help)\n"],
    [["help", "rnu"], 'rt: unknown command "rnu": did you mean "run"?  (see rt --help)\n'],
    [["run", "--emv", "a"], 'rt: unknown flag --emv for "run": did you mean --env?  (see rt run --help)\n'],
    [
      ["--log-level", "x", "version"],
      "rt: invalid --log-level x: want one of debug, info, warn, error, fatal\n",
    ],
    [["run"], 'rt: "run" needs IMAGE  (see rt run --help)\n'],
    [["exec", "c"], 'rt: "exec" needs COMMAND  (see rt exec --help)\n'],
    [["run", "-p", "80:x", "x"], "rt: invalid containerPort: x\n"],
    [
      ["run", "--runtime=runc", "x"],
      "rt: run --runtime is not there yet: it comes in a later version  (see rt run --help)\n",
    ],
    [
      ["run", "--network", "../mynet", "x"],
      'rt: invalid --network "../mynet": want none, host, pasta, slirp4netns, a network\'s name, container:NAME or ns:PATH\n',
    ],
    [
      ["kill", "-s", "NOPE", "x"],
      'rt: invalid signal "NOPE": want a name such as TERM or a number from 1 to 64\n',
    ],
  ])("rt %j fails in one line", async (argv, expected) => {
    const { out, err, code } = await rt(...argv);
    expect(err).toBe(expected);
    expect(out).toBe("");
    expect(code).toBe(125);
  });

  test("a template that is wrong ends with 1, as Docker's", async () => {
    const { err, code } = await rt("version", "--format", "{{.Nope}}");
    expect(err).toBe(
      'rt: template parsing error: template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"\n',
    );
    expect(code).toBe(1);
  });

  test("each row of the table is one command, whose groups exist, and which says what it does", async () => {
    const rows = new Set(commands.values());
    const classes = new Set<unknown>();
    for (const { paths, listed, load } of rows) {
      const { default: commandClass } = await load();
      classes.add(commandClass);
      expect(commandClass.usage?.description).toBeString();
      expect(commandClass.usage?.examples?.length).toBeGreaterThan(0);
      for (const path of paths)
        if (path.includes(" ")) expect([...groups.keys()]).toContain(path.split(" ")[0]!);
      if (listed !== undefined) expect(paths).toContain(listed);
    }
    expect(classes.size).toBe(rows.size);
    expect(commands.size).toBe([...rows].flatMap(({ paths }) => paths).length);
  });

  test("only the table knows paths: a command's class has none of its own", async () => {
    for (const { load } of new Set(commands.values())) {
      expect(Object.getOwnPropertyNames((await load()).default)).not.toContain("paths");
    }
  });

  test("every other name of a command is in its help, whatever it was called by", async () => {
    expect((await rt("ps", "--help")).out).toContain(
      "\nAlso: rt container ls, rt container list, rt container ps\n",
    );
    expect((await rt("container", "list", "-h")).out).toContain(
      "\nAlso: rt ps, rt container ls, rt container ps\n",
    );
    expect((await rt("init", "--help")).out).not.toContain("Also:");
  });

  test("words of a group, in the order of the alphabet", () => {
    const words =
      "cp history import inspect list load ls pack prune pull push remove rm save tag untag".split(" ");
    expect(wordsOf("image")).toEqual(words);
    expect(wordsOf("nonsense")).toEqual([]);
  });
});

describe("reporting", () => {
  const told = (error: unknown, env = {}) => {
    const context = capture(env);
    return { code: reportError(error, context), err: context.stderr.text, out: context.stdout.text };
  };

  test("a foreseen error is one line and its exit code", () => {
    const error = new RtError("not-found", "no such\nthing \u001b[31m", { exitCode: 127 });
    expect(told(error)).toEqual({ code: 127, err: "rt: no such thing \\u001b[31m\n", out: "" });
  });

  test("anything else is a bug of ours", () => {
    const expected = "rt: internal error: boom (set RT_DEBUG=1 for the stack)\n";
    expect(told(new TypeError("boom"))).toEqual({ code: 125, err: expected, out: "" });
  });

  test("an error of the system says call and path", () => {
    const error = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    expect(told(error).err).toBe("rt: ENOSPC: no space left on device, write\n");
  });

  test("who is not root is told so where the system refuses a file", () => {
    const refused = Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: "EACCES" });
    const hint = " (not root: is a sudo missing?)";
    expect(messageOf(refused, 1000)).toBe(`EACCES: permission denied, open '/x'${hint}`);
    expect(messageOf(withCause("cannot read", refused), 1000)).toEndWith(hint);
    expect(messageOf(refused, 0)).not.toContain(hint);
    expect(messageOf(new RtError("forbidden", "ps needs root"), 1000)).toBe("ps needs root");
  });

  test("RT_DEBUG=1 adds the stacks of all causes", () => {
    const { err } = told(new RtError("internal", "outer", { cause: new Error("inner") }), { RT_DEBUG: "1" });
    expect(err).toMatch(/outer\n\s+at .*\n[\s\S]*caused by: Error: inner\n\s+at [\s\S]*\nrt: outer\n$/);
  });

  test("a reader that went away is no error", () => {
    expect(told(new OutputClosed("EPIPE"))).toEqual({ code: 0, err: "", out: "" });
  });
});

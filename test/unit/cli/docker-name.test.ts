/** What changes where the executable is called "docker". */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentOf } from "../../../src/base/environment.ts";
import { RtError } from "../../../src/base/errors.ts";
import { runCli } from "../../../src/cli/cli.ts";
import { findPlugin } from "../../../src/cli/plugin.ts";
import { type FakeVerbs, fakeEngine } from "../../support/fake-engine.ts";
import { capture } from "./capture.ts";

async function docker(argv: readonly string[], verbs: FakeVerbs = {}, env: NodeJS.ProcessEnv = {}) {
  const engine = fakeEngine(verbs);
  const context = { ...capture(env), program: "docker" as const, openEngine: engine.open };
  const status = await runCli(argv, context);
  const { stdout, stderr } = context;
  return { status, engine, env: context.env, stdout: stdout.text, stderr: stderr.text };
}

const missing = async () => {
  throw new RtError("not-found", "No such container: web");
};

test("its version is one of Docker's, as scripts take it apart", async () => {
  expect((await docker(["--version"])).stdout).toMatch(/^Docker version \d+\.\d+\.\d+, build \S+\n$/);
});

test("an engine's failure is 1, in Docker's words; of run 125", async () => {
  const rename = await docker(["rename", "web", "b"], { container: { rename: missing } });
  expect(rename).toMatchObject({ status: 1, stderr: "Error response from daemon: No such container: web\n" });
  const remove = await docker(["rm", "web"], { container: { remove: missing } });
  expect(remove).toMatchObject({ status: 1, stderr: "Error response from daemon: No such container: web\n" });
  expect((await docker(["run", "web"], { container: { run: missing } })).status).toBe(125);
  expect(await docker(["ps", "--bad"])).toMatchObject({
    status: 125,
    stderr: expect.stringMatching(/^docker: /),
  });
  expect((await docker(["rm"])).status).toBe(1);
  const wait = async () => {
    throw new RtError("cancelled", "interrupted", { exitCode: 130 });
  };
  const interrupted = { status: 130, stderr: "docker: interrupted\n" };
  expect(await docker(["wait", "web"], { container: { wait } })).toMatchObject(interrupted);
  expect((await docker(["ps", "--filter", "nosuch=x"])).status).toBe(1);
  expect((await docker(["nosuch"])).stderr).toStartWith("docker: unknown command: docker nosuch");
  expect((await docker(["nosuch"])).status).toBe(1);
  expect((await docker(["build", "."])).stderr).toMatch(
    /^docker: unknown command: docker build: .*another tool/,
  );
  expect((await docker(["compose", "up"])).stderr).toMatch(
    /^docker: unknown command: docker compose: .*"rt daemon"/,
  );
});

test("help, and hints at it, are of the program that was called", async () => {
  expect((await docker(["run", "--help"])).stdout).toStartWith("Usage: docker run ");
  expect((await docker([])).stdout).not.toMatch(/\brt (\[|COMMAND|run)/);
  expect((await docker(["volume"])).stdout).toStartWith("Usage: docker volume COMMAND\n");
  expect((await docker(["rm"])).stderr).toEndWith("(see docker rm --help)\n");
  const { stdout: script } = await docker(["completion", "bash"]);
  expect(script).toMatch(/^complete -F _docker_complete docker$/m);
  expect(script).not.toMatch(/\brt\b/);
});

test("version: its own, and that of the engine, by either name of the API's version", async () => {
  const theirs = { Version: "7.7", ApiVersion: "1.50", GitCommit: "", BuildTime: "", BunVersion: "" };
  const other = { ...theirs, ZigVersion: "", Os: "linux", Arch: "amd64", KernelVersion: "6" };
  const system = { version: async () => other };
  expect((await docker(["version"], { system })).stdout).toMatch(
    /^Client:\n Version: +0\.[\s\S]*\n\nServer:\n Version: +7\.7\n API version: +1\.50\n OS/,
  );
  const format = "{{.Client.APIVersion}} {{.Server.APIVersion}} {{.Server.ApiVersion}}";
  expect((await docker(["version", "-f", format], { system })).stdout).toBe("1.51 1.50 1.50\n");
});

test("the default context is what DOCKER_HOST says", async () => {
  const DOCKER_CONFIG = "/nonexistent";
  const listed = await docker(["context", "ls"], {}, { DOCKER_HOST: "unix:///d", DOCKER_CONFIG });
  expect(listed.stdout).toMatch(/^default \* +What DOCKER_HOST says +unix:\/\/\/d$/m);
  expect((await docker(["context", "ls"], {}, { DOCKER_CONFIG })).stdout).toMatch(
    /^default \* +The engine of this process *$/m,
  );
  expect(await docker(["context", "rm", "default"], {}, { DOCKER_CONFIG })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^docker: context "default" cannot be removed/),
  });
});

test("a daemon is of this host: it is not started for another", async () => {
  const { status, stderr } = await docker(["-H", "unix:///d", "daemon"]);
  expect({ status, stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("where to listen"),
  });
});

test("flags in front of the command: which engine, and a directory of Docker's", async () => {
  const list = { container: { list: async () => [] } };
  const { engine, env } = await docker(["--config", "/d", "-H", "tcp://lab", "--tlsverify", "ps"], list);
  expect(engine.opened?.options).toMatchObject({
    config: undefined,
    place: { host: "tcp://lab", tlsVerify: true, asDocker: true },
  });
  expect(env.DOCKER_CONFIG).toBe("/d");
  // Behind it they are the command's own.
  const history = await docker(["history", "-H", "x"], { image: { history: async () => [] } });
  expect(history.engine.opened?.options.place).toEqual({ asDocker: true });
});

test("a word that is no command is a plug-in of Docker's, with the whole command line and the way to a daemon", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rt-plugins-"));
  try {
    mkdirSync(join(directory, "cli-plugins"));
    const program = join(directory, "cli-plugins", "docker-compose");
    writeFileSync(program, `#!/bin/sh\necho "$@" "$DOCKER_HOST" > ${directory}/said\nexit 7\n`, {
      mode: 0o755,
    });
    const caller = environmentOf({ PATH: "/usr/bin:/bin", DOCKER_HOST: "unix:///d" });
    const context = { ...capture(), env: { DOCKER_CONFIG: directory }, program: "docker" as const, caller };
    expect(await runCli(["-H", "unix:///x", "compose", "up", "-d"], context)).toBe(7);
    expect(readFileSync(join(directory, "said"), "utf8")).toBe("-H unix:///x compose up -d unix:///d\n");
    expect(await runCli(["nosuch"], context)).toBe(1);
    expect(findPlugin("../x", context.env)).toBeUndefined();
    // By its own name rt has commands of its own alone.
    expect(await runCli(["compose", "up"], { ...context, program: "rt" })).toBe(125);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

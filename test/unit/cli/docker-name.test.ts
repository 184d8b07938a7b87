/** What changes where the executable is called "docker". */
import { expect, test } from "bun:test";
import { RtError } from "../../../src/base/errors.ts";
import { runCli } from "../../../src/cli/cli.ts";
import { type FakeVerbs, fakeEngine } from "../../support/fake-engine.ts";
import { capture } from "./capture.ts";

async function docker(argv: readonly string[], verbs: FakeVerbs = {}) {
  const engine = fakeEngine(verbs);
  const context = { ...capture(), program: "docker" as const, openEngine: engine.open };
  const status = await runCli(argv, context);
  const { stdout, stderr, env } = context;
  return { status, engine, env, stdout: stdout.text, stderr: stderr.text };
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
  expect((await docker(["nosuch"])).stderr).toStartWith("docker: unknown command: docker nosuch");
  expect((await docker(["nosuch"])).status).toBe(1);
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

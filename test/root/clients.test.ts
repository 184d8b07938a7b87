/**
 * Other people's clients of Docker's Engine API, as they come from Debian and npm, each against an `rt daemon` of its own. What
 * each of them asks for stands in its script (test/clients), which says "good" of a real dockerd too.
 */
import { expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";
import { daemonOf } from "../support/daemon.ts";
import { testHost } from "../support/host.ts";
import { isOfNetwork, leaksSince, snapshotHost } from "../support/leaks.ts";
import { outside } from "../support/outside.ts";
import { needs, tool } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";

const clients = resolve(import.meta.dir, "../clients");
/** Debian's own: its modules are not those of another Python in the path. */
const python = "/usr/bin/python3";

const ofNode = needs({ root: true, tools: ["node", "busybox", "tar"] });
ofNode.beforeAll(async () => {
  if (existsSync(join(clients, "node_modules/dockerode"))) return;
  await run(outside([process.execPath, "install", "--frozen-lockfile"]), { cwd: clients });
}, 120_000);

/** @returns a reason where Debian's Python has no such module */
const lacksSdk = () =>
  Bun.spawnSync([python, "-c", "import docker"], { stderr: "ignore" }).exitCode === 0
    ? undefined
    : "Docker's SDK for Python (apt-get install python3-docker)";

/** A script says "good" last; nothing of what it made is there when it has ended. */
async function isGood(command: string[], env: Record<string, string> = {}): Promise<void> {
  await using host = await testHost();
  // The default network's bridge stays once it is there.
  await host.ok(["run", "--rm", "embed:hello", "ids"]);
  await host.ok(["rmi", "embed:hello"]);
  const before = snapshotHost([]);
  {
    await using daemon = await daemonOf(host);
    const said = await run(command, {
      cwd: clients,
      env: { ...host.env, DOCKER_HOST: daemon.address, RT_CLIENTS_BUSYBOX: tool("busybox")!, ...env },
    });
    expect(said.trimEnd().split("\n").at(-1)).toBe("good");
  }
  expect(await host.ok(["ps", "-aq"])).toBe("");
  expect(await host.ok(["volume", "ls", "-q"])).toBe("");
  expect(await host.ok(["network", "ls", "-q", "--filter", "type=custom"])).toBe("");
  expect(await host.ok(["images", "-q"])).toBe("");
  expect(leaksSince(before, isOfNetwork)).toEqual([]);
}

/** Other engines have a program of this name too. */
const isDockers = () =>
  /^Docker version/.test(Bun.spawnSync(["docker", "--version"], { stderr: "ignore" }).stdout.toString())
    ? undefined
    : "a docker that is Docker's own (apt-get install docker.io)";

const { test: testDocker } = needs({
  root: true,
  tools: ["docker", "busybox", "curl", "tar"],
  also: isDockers,
});
testDocker("Docker's own command line", () => isGood(["sh", "tour.sh"]), 240_000);

const { test: testCompose } = needs({ root: true, tools: ["docker-compose", "busybox", "curl", "tar"] });
testCompose("Compose", () => isGood(["sh", "compose.sh"]), 240_000);

ofNode.test("dockerode", () => isGood(["node", "dockerode.mjs"]), 240_000);

// Its reaper is an image of a registry's (see api/reaper.test.ts); and an ordinary guess at the host's address is a gateway's.
const alone = { TESTCONTAINERS_RYUK_DISABLED: "true", TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1" };
ofNode.test("testcontainers", () => isGood(["node", "testcontainers.mjs"], alone), 240_000);

const { test: testPython } = needs({ root: true, tools: ["busybox", "tar"], also: lacksSdk });
testPython("Docker's SDK for Python", () => isGood([python, "docker_sdk.py"]), 240_000);

/** The same tour by our own executable under Docker's name: a command line that does not know where its engine is. */
const ours = needs({ root: true, tools: ["busybox", "curl", "tar"] });
for (const [engine, env] of [
  ["in its own process", { DOCKER_HOST: "" }],
  ["behind the API", {}],
] as const) {
  ours.test(
    `rt that is called docker, with an engine ${engine}`,
    async () => {
      using directory = temporaryDirectory();
      const docker = join(directory.path, "docker");
      symlinkSync(rtBinary, docker);
      await isGood(["sh", "tour.sh"], { DOCKER: docker, ...env });
    },
    240_000,
  );
}

function temporaryDirectory(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "rt-docker-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

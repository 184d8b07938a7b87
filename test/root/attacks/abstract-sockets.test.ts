/**
 * Abstract unix sockets belong to a network namespace (CVE-2020-15257). A container that has the host's reaches those of its own
 * alone, where the kernel can do that (Landlock's scope, Linux 6.12); none of ours are there in any case (isolation.test.ts).
 */
import { expect } from "bun:test";
import { join } from "node:path";
import { containerTests, image, running } from "../../cli/world.ts";
import { needs } from "../../support/root.ts";
import { Transcript } from "../../support/wait.ts";
import { programTargets, zigProgram } from "../../support/zig-program.ts";

const { host, test } = containerTests();
const scoped = needs({
  root: true,
  also: () => (kernelAtLeast(6, 12) ? undefined : "Linux 6.12 (Landlock's scope)"),
});

function kernelAtLeast(wantedMajor: number, wantedMinor: number): boolean {
  const release = Bun.spawnSync(["uname", "-r"]).stdout.toString();
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

const [target] = programTargets;
const program = () => zigProgram("abstract");

/** A daemon of the host's. */
async function listening(name: string): Promise<AsyncDisposable> {
  const child = Bun.spawn([join(await program(), target!), "listen", name], { stdout: "pipe" });
  const said = new Transcript();
  const drained = said.drain(child.stdout);
  await said.waitFor("listening");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await Promise.all([child.exited, drained]);
    },
  };
}

const connect = [`/a/${target}`, "connect"];

scoped.test("of the host's sockets a container in its network reaches none, in run and in exec", async () => {
  const name = `rt-test-${process.pid}`;
  await using _ = await listening(name);
  const flags = ["--network", "host", "-v", `${await program()}:/a:ro`];
  const ask = (more: string[]) => host().ok(["run", "--rm", ...flags, ...more, image, ...connect, name]);
  expect(await ask([])).toBe("PERM\n");
  expect(await ask(["-u", "app", "--security-opt", "no-new-privileges"])).toBe("PERM\n");
  expect(await ask(["--init", "--cap-add", "SYS_ADMIN"])).toBe("PERM\n");
  // What is asked for: all of it, or the right to look into others.
  for (const open of [
    ["--security-opt", "landlock=unconfined"],
    ["--privileged"],
    ["--cap-add", "SYS_PTRACE"],
  ])
    expect([open, await ask(open)]).toEqual([open, "ok\n"]);

  await using container = await running(host(), ["sleep", "1000"], flags);
  expect(await host().ok(["exec", container.name, ...connect, name])).toBe("PERM\n");
  expect(await host().ok(["exec", "--privileged", container.name, ...connect, name])).toBe("ok\n");
  const beside = [
    "run",
    "--rm",
    "--network",
    `container:${container.name}`,
    "-v",
    `${await program()}:/a:ro`,
  ];
  expect(await host().ok([...beside, image, ...connect, name])).toBe("PERM\n");
});

test("its programs reach each other's, in whatever network", async () => {
  const name = `rt-own-${process.pid}`;
  const script = `/a/${target} listen ${name} >/tmp/said & until grep -q listening /tmp/said; do :; done; /a/${target} connect ${name}`;
  for (const network of ["host", "none"]) {
    const flags = ["--network", network, "-v", `${await program()}:/a:ro`];
    expect(await host().ok(["run", "--rm", ...flags, image, "sh", "-c", script])).toBe("ok\n");
  }
});

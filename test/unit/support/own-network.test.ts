/** Where tests run (own-network.ts): alone, reachable by themselves, and ended as if nothing had happened. */
import { expect } from "bun:test";
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../support/command.ts";
import { outside } from "../../support/outside.ts";
import { needs } from "../../support/root.ts";

const { test } = needs({ root: true, tools: ["nsenter", "readlink"] });
const project = resolve(import.meta.dir, "../../..");

test("this process, all its threads and what it starts are in a network of their own; outside is another", async () => {
  const own = readlinkSync("/proc/self/ns/net");
  const threads = await run(["sh", "-c", `readlink /proc/${process.pid}/task/*/ns/net`]);
  expect(new Set(threads.trim().split("\n"))).toEqual(new Set([own]));
  expect(await run(["readlink", "/proc/self/ns/net"])).toBe(`${own}\n`);
  expect(await run(outside(["readlink", "/proc/self/ns/net"]))).not.toBe(`${own}\n`);
});

test("servers of a test are reached at both loopback addresses, by itself and by what it starts", async () => {
  for (const hostname of ["127.0.0.1", "::1"]) {
    using server = Bun.serve({ hostname, port: 0, fetch: () => new Response("here") });
    expect(await (await fetch(server.url)).text()).toBe("here");
    const program = `console.log(await (await fetch(${JSON.stringify(server.url.href)})).text())`;
    expect(await run([process.execPath, "-e", program])).toBe("here\n");
  }
});

test("arguments, output, exit status and signals are those of a process that was started once", async () => {
  const dir = mkdtempSync(join(project, "test/.own-network-"));
  try {
    const file = join(dir, "sample.test.ts");
    const body =
      'if (process.env.END) process.kill(process.pid, "SIGTERM"); expect(process.env.SAY).toBe("grüße");';
    writeFileSync(
      file,
      `import { expect, test } from "bun:test"; test("a b", async () => { ${body} }); test("c", () => {});`,
    );
    const bun = async (env: Record<string, string>) => {
      const command = [process.execPath, "test", "-t", "a b", `./${file.slice(project.length + 1)}`];
      const child = Bun.spawn(command, {
        cwd: project,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [stderr] = await Promise.all([child.stderr.text(), child.exited]);
      return { stderr, code: child.exitCode, signal: child.signalCode };
    };
    expect(await bun({ SAY: "grüße" })).toMatchObject({
      code: 0,
      signal: null,
      stderr: expect.stringContaining(" 1 pass"),
    });
    expect(await bun({ SAY: "no" })).toMatchObject({ code: 1, stderr: expect.stringContaining(" 1 fail") });
    expect(await bun({ SAY: "grüße", END: "1" })).toMatchObject({ code: null, signal: "SIGTERM" });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

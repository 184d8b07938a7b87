/** test/support/ordinary-user.ts: whoever makes a user leaves nothing of him, also where he is killed. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ordinaryUser } from "../support/ordinary-user.ts";
import { needs } from "../support/root.ts";

const { test } = needs({ root: true, tools: ["setpriv"] });

const files = ["/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"];
const module = (file: string) => JSON.stringify(join(import.meta.dir, "../support", file));
const mentions = (name: string) => files.filter((file) => readFileSync(file, "utf8").includes(name));

test("he is himself and nobody else, and gone afterwards", async () => {
  let name: string;
  {
    await using user = await ordinaryUser();
    await using other = await ordinaryUser({ subordinates: false });
    name = user.name;
    expect([user.uid === other.uid, mentions(user.name), mentions(other.name)]).toEqual([
      false,
      files,
      files.slice(0, 2),
    ]);
    const { stdout } = await user.run(["sh", "-c", "id -u; id -G; grep CapEff /proc/self/status; pwd"]);
    expect(stdout).toBe(`${user.uid}\n${user.gid}\nCapEff:\t0000000000000000\n${user.home}\n`);
  }
  expect(mentions(name)).toEqual([]);
});

test("what a test run that was killed has left goes with the next user", async () => {
  const script = `
    import { ordinaryUser } from ${module("ordinary-user.ts")};
    import { until } from ${module("wait.ts")};
    const user = await ordinaryUser();
    Bun.spawn(user.as(["sleep", "1000"]), { stdio: ["ignore", "ignore", "ignore"], detached: true }).unref();
    // Until setpriv has done its work the process is root's, which is no trace of him.
    await until("it is his", () => user.processes().length > 0);
    console.log(JSON.stringify([user.name, user.dir]));
    process.kill(process.pid, "SIGKILL");`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    stdout: "pipe",
    cwd: join(import.meta.dir, "../.."),
  });
  const [name, dir] = JSON.parse(await child.stdout.text()) as [string, string];
  await child.exited;
  expect([mentions(name), existsSync(dir)]).toEqual([files, true]);
  await using user = await ordinaryUser();
  expect([mentions(name), existsSync(dir), mentions(user.name)]).toEqual([[], false, files]);
});

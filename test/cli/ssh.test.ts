/** Images from host to host, by a real sshd on loopback whose sessions have a store of their own. */
import { expect } from "bun:test";
import { type TestHost, testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true, tools: ["ssh", "sshd", "ssh-keygen"] });

interface TwoHosts extends AsyncDisposable {
  here: TestHost;
  there: TestHost;
  box: Sshd;
  env: Record<string, string>;
}

async function twoHosts(options: SshdOptions = {}): Promise<TwoHosts> {
  const stack = new AsyncDisposableStack();
  const here = stack.use(await testHost());
  const there = stack.use(await testHost());
  const session = { RT_ROOT: there.root, RT_STATE: there.state, HOME: there.env.HOME! };
  const box = stack.use(await startSshd(session, options));
  return { here, there, box, env: { RT_SSH: box.ssh }, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("an image goes there under its name and another, and comes back", async () => {
  await using hosts = await twoHosts();
  const { here, there, env } = hosts;
  await here.ok(["pull", "-q", "embed:hello"]);
  const pushed = await here.rt(["push", "embed:hello", "ssh://box/team/hi:2"], { env });
  expect(pushed).toMatchObject({ code: 0, stderr: "" });
  expect(pushed.stdout).toMatch(/ssh:\/\/box\/team\/hi:2: digest: sha256:[0-9a-f]{64} size: \d+\n$/);
  expect(await there.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"])).toBe("team/hi:2\n");
  await here.ok(["push", "-q", "embed:hello", "ssh://box"], { env });
  expect(await here.ok(["pull", "ssh://box/team/hi:2"], { env })).toContain(
    "Downloaded newer image for team/hi:2",
  );
  const missing = await here.rt(["pull", "ssh://box/nope"], { env });
  expect([missing.code, oneLine(missing.stderr)]).toEqual([125, "box: No such image: nope"]);
}, 240_000);

test("a host without rt is told of in one line", async () => {
  await using hosts = await twoHosts({ program: "" });
  const { here, env } = hosts;
  await here.ok(["pull", "-q", "embed:hello"]);
  const failed = await here.rt(["push", "embed:hello", "ssh://box"], { env });
  expect([failed.code, oneLine(failed.stderr)]).toEqual([
    125,
    expect.stringContaining("box: there is no rt"),
  ]);
}, 240_000);

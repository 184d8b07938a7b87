/** Images from host to host, by a real sshd on loopback whose sessions have a store of their own. */
import { expect } from "bun:test";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestHost, testHost } from "../support/host.ts";
import { LayoutWriter } from "../support/layout.ts";
import { needs } from "../support/root.ts";
import { type Sshd, type SshdOptions, startSshd } from "../support/sshd.ts";
import { until } from "../support/wait.ts";
import { fileLayer } from "./image-world.ts";
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

test("killed in the middle, the next push sends what is missing there and no more", async () => {
  await using hosts = await twoHosts();
  const { here, there, box } = hosts;
  const layers = [8 << 20, 1 << 20].map((length, at) => fileLayer(`big-${at}`, length));
  const writer = new LayoutWriter(join(here.dir, "layout"));
  await writer.image("big", { layers });
  await writer.close();
  await here.ok(["pull", "-q", `oci:${here.dir}/layout:big`]);
  const pushing = ["push", "localhost/layout:big", "ssh://box/team/big:1"];
  const [cut, sent, held] = ["cut-ssh", "counting-ssh", "held"].map((name) => join(here.dir, name)) as Three;
  // Six MiB reach the other side, the rest goes nowhere. Without `true` the shell becomes that cat, and ssh's input ends here.
  const some = `stdbuf -o0 head -c ${6 << 20}; touch ${held}; cat > /dev/null; true`;
  writeFileSync(cut, `#!/bin/sh\n{ ${some}; } | ${box.ssh} "$@"\n`, { mode: 0o755 });
  const killed = here.spawn(pushing, { env: { RT_SSH: cut } });
  await until("six MiB are on their way", () => existsSync(held));
  await until("and have come there", () => bytesBelow(join(there.root, "content")) > 5 << 20);
  killed.kill("SIGKILL");
  expect(await killed.exited).toBe(137);
  await until("the other side has ended", () => !box.sessions().some(({ command }) => command === "rt"));
  expect(await there.ok(["images", "-q"])).toBe("");
  writeFileSync(sent, `#!/bin/sh\ntee ${here.dir}/sent | ${box.ssh} "$@"\n`, { mode: 0o755 });
  const again = await here.rt(pushing, { env: { RT_SSH: sent } });
  expect(again).toMatchObject({ code: 0, stderr: "" });
  expect(statSync(join(here.dir, "sent")).size).toBeLessThan(5 << 20);
  const digestOf = async (host: TestHost) => (await host.ok(["images", "-q", "--no-trunc"])).trim();
  expect(await digestOf(there)).toBe(await digestOf(here));
}, 240_000);

type Three = [string, string, string];

function bytesBelow(directory: string): number {
  if (!existsSync(directory)) return 0;
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  return files.reduce((sum, { parentPath, name }) => {
    return sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}

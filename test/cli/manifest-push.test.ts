/** Lists at a real registry: what is pushed there, from the same registry and from another, and how skopeo and rt read it. */
import { afterAll, expect } from "bun:test";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { testHost } from "../support/host.ts";
import { busyboxLayout, helloLayout } from "../support/images.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "busybox", "skopeo", "tar"] });

let near: Registry;
let far: Registry;

beforeAll(async () => {
  near = await startRegistry({ auth: { user: "me", password: "hunter2" } });
  far = await startRegistry();
  await pushLayout(await busyboxLayout(), "latest", near, "team/amd64:1");
  await pushLayout(await helloLayout(), "latest", far, "other/hello:1");
}, 240_000);

afterAll(async () => {
  await near?.[Symbol.asyncDispose]();
  await far?.[Symbol.asyncDispose]();
});

async function skopeo(...argv: string[]): Promise<string> {
  return await run(["skopeo", ...argv]);
}

test("mounted from the same registry, copied from another; the list is read by skopeo, and pulled", async () => {
  await using host = await testHost();
  const login = ["login", "-u", "me", "--password-stdin", near.address];
  await host.ok(login, { stdin: "hunter2" });
  const index = JSON.parse(await host.ok(["manifest", "inspect", `${far.address}/other/hello:1`])) as {
    manifests: { digest: string; platform: { architecture: string } }[];
  };
  const arm = index.manifests.find(({ platform }) => platform.architecture === "arm64")!;
  const [a, b] = [`${near.address}/team/amd64:1`, `${far.address}/other/hello@${arm.digest}`];
  const list = `${near.address}/team/all:1`;
  await host.ok(["manifest", "create", list, a, b]);
  const before = near.log.text.length;
  const lines = (await host.ok(["manifest", "push", list])).trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[1]).toBe(`Pushed ref ${near.address}/team/all@${arm.digest} with digest: ${arm.digest}`);
  const raw = await skopeo(
    "inspect",
    "--raw",
    "--tls-verify=false",
    "--creds",
    "me:hunter2",
    `docker://${list}`,
  );
  expect(raw.trimEnd()).toBe((await host.ok(["manifest", "inspect", list])).trimEnd());
  const log = near.log.text.slice(before);
  expect(log).toMatch(/POST \/v2\/team\/all\/blobs\/uploads\/\?[^ ]*mount=sha256[^ ]* HTTP\/1.1" 201/);
  await host.ok(["manifest", "rm", list]);
  await host.ok(["pull", "-q", list]);
  await host.ok(["pull", "-q", "--platform", "linux/arm64", list]);
  // What is there already does not go again.
  await host.ok(["manifest", "create", list, a, b]);
  expect((await host.ok(["manifest", "push", "-p", list])).trimEnd().split("\n").at(-1)).toBe(lines[2]!);
  expect((await host.rt(["manifest", "rm", list])).code).toBe(1);
  expect(near.log.text).not.toContain("hunter2");
});

test("an image that a push compresses is in a list as the registry has it", async () => {
  await using host = await testHost();
  await host.ok(["run", "--name", "over", "--network", "none", "embed:hello", "args"]);
  const name = `${far.address}/own/app:1`;
  await host.ok(["commit", "over", name]);
  const list = `${far.address}/own/all:1`;
  const { code, stderr } = await host.rt(["manifest", "create", list, name]);
  expect(oneLine(stderr)).toContain("push it first");
  expect(code).toBe(1);
  const digest = /digest: (sha256:\S+)/.exec(await host.ok(["push", name]))?.[1];
  await host.ok(["manifest", "create", list, name]);
  expect(JSON.parse(await host.ok(["manifest", "inspect", list]))).toMatchObject({ manifests: [{ digest }] });
  await host.ok(["manifest", "push", "-p", list]);
  await host.ok(["rm", "over"]);
});

test("without a login: one line, 1, and the list stays here", async () => {
  await using host = await testHost();
  const list = `${near.address}/team/none:1`;
  await host.ok(["manifest", "create", list, `${far.address}/other/hello@${await amd64()}`]);
  const { code, stdout, stderr } = await host.rt(["manifest", "push", "--purge", list]);
  expect(oneLine(stderr)).toContain("access to");
  expect([stdout, code]).toEqual(["", 1]);
  await host.ok(["manifest", "rm", list]);
});

async function amd64(): Promise<string> {
  const raw = await skopeo("inspect", "--raw", "--tls-verify=false", `docker://${far.address}/other/hello:1`);
  const { manifests } = JSON.parse(raw) as {
    manifests: { digest: string; platform: { architecture: string } }[];
  };
  return manifests.find(({ platform }) => platform.architecture === "amd64")!.digest;
}

test("what a login has written is read by skopeo", async () => {
  await using host = await testHost();
  await host.ok(["login", "-u", "me", "--password-stdin", near.address], { stdin: "hunter2" });
  const file = join(host.env.DOCKER_CONFIG!, "config.json");
  const image = `docker://${near.address}/team/amd64:1`;
  const raw = await skopeo("inspect", "--raw", "--tls-verify=false", "--authfile", file, image);
  expect(JSON.parse(raw)).toMatchObject({ schemaVersion: 2 });
});

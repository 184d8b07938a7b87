/** A socket with a policy, as somebody who wants the host through it. */
import { expect } from "bun:test";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listenUnix } from "../../../src/daemon/listen.ts";
import { policyOf } from "../../../src/daemon/policy.ts";
import { ask } from "../../../src/http/client.ts";
import { connectDuplex } from "../../../src/http/socket.ts";
import { type ApiHost, apiHost } from "../../support/api.ts";
import { requireRoot } from "../../support/root.ts";

const { test } = requireRoot();

/** With an image. */
async function serving(): Promise<ApiHost> {
  const api = await apiHost();
  await api.host.ok(["pull", "-q", "embed:hello"]);
  return api;
}

interface Fenced {
  ask(method: string, target: string, body?: object | Uint8Array): Promise<{ status: number; text: string }>;
}

/** A second socket of the same server. */
async function fenced(
  api: ApiHost,
  undo: AsyncDisposableStack,
  name: string,
  policy: string,
): Promise<Fenced> {
  const file = join(api.host.dir, `${name}.toml`);
  writeFileSync(file, policy);
  const rules = await policyOf({ file });
  const path = join(api.host.dir, `${name}.sock`);
  const listener = await listenUnix(path, (wire) => void api.server.serve(wire, { policy: rules }));
  undo.defer(() => listener.stop());
  return {
    async ask(method, target, body) {
      const wire = await connectDuplex({ unix: path });
      try {
        const isBytes = body instanceof Uint8Array;
        const type = isBytes ? "application/x-tar" : "application/json";
        const fields: [string, string][] = [
          ["Host", "x"],
          ...(body ? [["Content-Type", type] as [string, string]] : []),
        ];
        const bytes = body && (isBytes ? body : Buffer.from(JSON.stringify(body)));
        const { status, body: answer } = await ask(wire, { method, target, fields, body: bytes });
        return { status, text: Buffer.concat(await Array.fromAsync(answer)).toString() };
      } finally {
        wire.destroy();
      }
    },
  };
}

const job = (dir: string) => `
allow = ["read", "data", "change"]
label = "ci=1"
[images]
create = ["embed:hello"]
[mounts]
write = [${JSON.stringify(join(dir, "work"))}]
`;

test("containers of others are not there, by name, id or its beginning, whatever is asked", async () => {
  await using api = await serving();
  await using undo = new AsyncDisposableStack();
  const ci = await fenced(api, undo, "ci", job(api.host.dir));
  const made = await api.request("POST", "/containers/create?name=secret", {
    Image: "embed:hello",
    Env: ["PASSWORD=x"],
    HostConfig: { NetworkMode: "none" },
  });
  expect(made.status).toBe(201);
  const id = made.json.Id as string;
  const own = await ci.ask("POST", "/containers/create?name=mine", {
    Image: "embed:hello",
    Labels: { ci: "2" },
  });
  expect(own.status).toBe(201);
  const ownId = JSON.parse(own.text).Id as string;
  for (const name of ["secret", id, id.slice(0, 12)]) {
    for (const [method, target] of [
      ["GET", "json"],
      ["GET", "top"],
      ["GET", "logs?stdout=1"],
      ["GET", "changes"],
      ["GET", "export"],
      ["GET", "archive?path=/"],
      ["GET", "stats?stream=0"],
      ["POST", "start"],
      ["POST", "stop"],
      ["POST", "kill"],
      ["POST", "wait"],
      ["POST", "rename?name=mine2"],
      ["POST", "attach?stream=1"],
      ["DELETE", "?force=1"],
    ] as const) {
      const { status, text } = await ci.ask(
        method,
        `/containers/${name}${target.startsWith("?") ? "" : "/"}${target}`,
      );
      expect(`${target} ${status} ${text}`).toMatch(/ 404 .*No such container/);
    }
    const exec = await ci.ask("POST", `/containers/${name}/exec`, { Cmd: ["sh"] });
    expect(exec.status).toBe(404);
    const put = await ci.ask("PUT", `/containers/${name}/archive?path=/`, Buffer.alloc(1024));
    expect(put.status).toBe(404);
    const beside = async (other: string) => {
      const document = { Image: "embed:hello", HostConfig: { PidMode: `container:${other}` } };
      const { status, text } = await ci.ask("POST", "/containers/create", document);
      return { status, text: text.replaceAll(other, "NAME") };
    };
    const refused = await beside(name);
    expect(refused).toEqual(await beside("f".repeat(name.length)));
    expect(refused.status).toBe(400);
  }
  const list = await ci.ask("GET", "/containers/json?all=1");
  expect(JSON.parse(list.text).map((each: { Id: string }) => each.Id)).toEqual([ownId]);
  const inspected = await ci.ask("GET", "/containers/mine/json");
  expect(JSON.parse(inspected.text).Config.Labels).toMatchObject({ ci: "1" });
  await ci.ask("POST", "/containers/prune");
  expect((await api.request("GET", "/containers/secret/json")).status).toBe(200);
  expect((await api.request("GET", "/containers/mine/json")).status).toBe(404);
});

test("what would give the host is 403, with what and why in one line", async () => {
  await using api = await serving();
  await using undo = new AsyncDisposableStack();
  const ci = await fenced(api, undo, "ci", job(api.host.dir));
  for (const host of [
    { Privileged: true },
    { Binds: ["/:/host"] },
    { Mounts: [{ Type: "bind", Source: "/etc", Target: "/x" }] },
    { CapAdd: ["SYS_ADMIN"] },
    { PidMode: "host" },
    { SecurityOpt: ["seccomp=unconfined"] },
  ]) {
    const { status, text } = await ci.ask("POST", "/containers/create", {
      Image: "embed:hello",
      HostConfig: host,
    });
    expect([status, JSON.parse(text).message]).toEqual([
      403,
      expect.stringMatching(/^not allowed on this socket: [^\n]+$/),
    ]);
  }
  expect((await ci.ask("POST", "/containers/create", { Image: "alpine" })).status).toBe(403);
  expect((await ci.ask("GET", "/rt/jobs")).status).toBe(403);
  expect((await ci.ask("GET", "/nothing")).status).toBe(404);
});

test("a link in a directory of the policy's leads nowhere, not even one that is put there after the check", async () => {
  await using api = await serving();
  await using undo = new AsyncDisposableStack();
  const { dir } = api.host;
  const work = join(dir, "work");
  mkdirSync(join(work, "real"), { recursive: true });
  mkdirSync(join(dir, "host"));
  writeFileSync(join(dir, "host", "secret"), "");
  const ci = await fenced(api, undo, "ci", job(dir));
  const create = (source: string) =>
    ci.ask("POST", "/containers/create", {
      Image: "embed:hello",
      HostConfig: { NetworkMode: "none", Binds: [`${source}:/x`] },
    });
  symlinkSync(join(dir, "host"), join(work, "link"));
  const { Id: linked } = JSON.parse((await create(join(work, "link"))).text) as { Id: string };
  const refused = await ci.ask("POST", `/containers/${linked}/start`);
  expect(`${refused.status} ${refused.text}`).toMatch(/leads out of/);
  const { Id: swapped } = JSON.parse((await create(join(work, "real"))).text) as { Id: string };
  renameSync(join(work, "real"), join(work, "was"));
  symlinkSync("../host", join(work, "real"));
  const late = await ci.ask("POST", `/containers/${swapped}/start`);
  expect(`${late.status} ${late.text}`).toMatch(/leads out of/);
  expect((await ci.ask("GET", `/containers/${swapped}/archive?path=/x/secret`)).status).not.toBe(200);
  const { Id: good } = JSON.parse((await create(join(work, "was"))).text) as { Id: string };
  expect((await ci.ask("POST", `/containers/${good}/start`)).status).toBe(204);
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { environmentOf } from "../../../src/base/environment.ts";
import type { CredentialOptions } from "../../../src/registry/credential.ts";
import { findCredential } from "../../../src/registry/credentials.ts";
import { failsWith } from "../source/pull.ts";

let dir: string;
let warnings: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-credentials-"));
  warnings = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(name: string, content: unknown): string {
  const file = join(dir, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

/** A helper program that notes what it was asked, and answers. */
function helper(name: string, script: string): void {
  chmodSync(
    put(
      `bin/docker-credential-${name}`,
      `#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r server || :\n${script}\n`,
    ),
    0o755,
  );
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const basic = (username: string, password: string) => ({ kind: "basic", username, password });

const find = (repository: string, more: Partial<CredentialOptions> = {}): Promise<unknown> =>
  findCredential(repository, {
    env: {
      HOME: join(dir, "home"),
      XDG_RUNTIME_DIR: join(dir, "run"),
      PATH: `${join(dir, "bin")}:/usr/bin:/bin`,
    },
    helperMs: 10_000,
    warn: (line) => warnings.push(line),
    ...more,
  });

describe("files", () => {
  test("Docker's, then podman's two; DOCKER_CONFIG moves the first; --authfile is the only one", async () => {
    expect(await find("r.example/a")).toBeUndefined();
    put("home/.config/containers/auth.json", { auths: { "r.example": { auth: base64("c:3") } } });
    expect(await find("r.example/a")).toEqual(basic("c", "3"));
    put("run/containers/auth.json", { auths: { "r.example": { auth: base64("b:2") } } });
    expect(await find("r.example/a")).toEqual(basic("b", "2"));
    put("home/.docker/config.json", { auths: { "r.example": { auth: base64("a:1:x") } } });
    expect(await find("r.example/a")).toEqual(basic("a", "1:x"));
    put("other/config.json", { auths: {} });
    const env = { HOME: join(dir, "home"), DOCKER_CONFIG: join(dir, "other") };
    expect(await find("r.example/a", { env })).toEqual(basic("c", "3"));
    const authFile = put("own.json", {});
    expect(await find("r.example/a", { authFile })).toBeUndefined();
    const missing = join(dir, "missing.json");
    expect(await failsWith("not-found", find("r.example/a", { authFile: missing }))).toContain(missing);
    expect(await find("r.example/a", { env: {} })).toBeUndefined();
  });

  test("REGISTRY_AUTH_FILE is the only one too, --authfile beats it, and what it names must be there", async () => {
    const auths = (text: string) => ({ auths: { "r.example": { auth: base64(text) } } });
    put("home/.docker/config.json", auths("docker:1"));
    const named = put("named.json", auths("named:1"));
    const env = { HOME: join(dir, "home"), REGISTRY_AUTH_FILE: named };
    expect(await find("r.example/a", { env })).toEqual(basic("named", "1"));
    expect(await find("other.example/a", { env })).toBeUndefined();
    const authFile = put("flag.json", auths("flag:1"));
    expect(await find("r.example/a", { env, authFile })).toEqual(basic("flag", "1"));
    const empty = { ...env, REGISTRY_AUTH_FILE: "" };
    expect(await find("r.example/a", { env: empty })).toEqual(basic("docker", "1"));
    const missing = { ...env, REGISTRY_AUTH_FILE: join(dir, "missing.json") };
    expect(await failsWith("not-found", find("r.example/a", { env: missing }))).toContain(
      `${join(dir, "missing.json")} of REGISTRY_AUTH_FILE`,
    );
  });

  test("without XDG_RUNTIME_DIR podman's file lies below /run by the user's number; ~/.dockercfg comes last", async () => {
    const own = `run/containers/${process.getuid?.()}/auth.json`;
    const env = { HOME: join(dir, "home") };
    const runDirectory = join(dir, "run");
    put("home/.dockercfg", { "r.example": { auth: base64("old:1"), email: "x" } });
    expect(await find("r.example/a", { env, runDirectory })).toEqual(basic("old", "1"));
    put("home/.config/containers/auth.json", { auths: { "r.example": { auth: base64("home:1") } } });
    expect(await find("r.example/a", { env, runDirectory })).toEqual(basic("home", "1"));
    put(own, { auths: { "r.example": { auth: base64("run:1") } } });
    expect(await find("r.example/a", { env, runDirectory })).toEqual(basic("run", "1"));
    const session = { ...env, XDG_RUNTIME_DIR: join(dir, "session") };
    expect(await find("r.example/a", { env: session, runDirectory })).toEqual(basic("home", "1"));
  });

  test("is read as Go reads it: names in any case, null is nothing", async () => {
    put("home/.docker/config.json", {
      Auths: { "r.example": { Auth: base64("a:1") }, "null.example": null },
      credHelpers: null,
      CREDSSTORE: null,
    });
    expect(await find("r.example/a")).toEqual(basic("a", "1"));
    expect(await find("null.example/a")).toBeUndefined();
  });

  test("Hub's key, old URL keys, and podman's keys with a path", async () => {
    const auths: Record<string, object> = {
      "https://index.docker.io/v1/": { auth: base64("hub:1") },
      "https://old.example/v1/": { auth: base64("old:1") },
      "old.example:5000": { auth: base64("port:1") },
      "quay.example/team": { auth: base64("team:1") },
      "quay.example/team/x": { auth: base64("x:1") },
      "quay.example": { auth: base64("all:1") },
    };
    put("home/.docker/config.json", { auths });
    expect(await find("docker.io/library/alpine")).toEqual(basic("hub", "1"));
    expect(await find("old.example/a")).toEqual(basic("old", "1"));
    expect(await find("old.example:5000/a")).toEqual(basic("port", "1"));
    expect(await find("quay.example/team/x")).toEqual(basic("x", "1"));
    expect(await find("quay.example/team/y")).toEqual(basic("team", "1"));
    expect(await find("quay.example/teams")).toEqual(basic("all", "1"));
    expect(await find("example/a")).toBeUndefined();
    expect(await find("evil-old.example/a")).toBeUndefined();
    put("home/.docker/config.json", { auths: { "docker.io": { auth: base64("podman:1") } } });
    expect(await find("docker.io/library/alpine")).toEqual(basic("podman", "1"));
  });

  test("forms of an entry", async () => {
    const entries: [object, unknown][] = [
      [
        { identitytoken: "t", auth: base64("a:b") },
        { kind: "identity", token: "t" },
      ],
      [{ registrytoken: "t" }, { kind: "bearer", token: "t" }],
      [{ username: "u", password: "p" }, basic("u", "p")],
      [{ auth: base64("u:p\0\0") }, basic("u", "p")],
      [{}, undefined],
      [{ auth: "" }, undefined],
    ];
    for (const [entry, credential] of entries) {
      put("home/.docker/config.json", { auths: { "r.example": entry } });
      expect(await find("r.example/a")).toEqual(credential);
    }
  });

  test("what cannot be understood is named, and never quoted", async () => {
    for (const content of [
      '{"auths": hunter2',
      "[]",
      { auths: "hunter2" },
      { auths: { "r.example": { auth: base64("hunter2") } } },
    ]) {
      const file = put("home/.docker/config.json", content);
      const line = await failsWith("data-loss", find("r.example/a"));
      expect(line).toContain(file);
      expect(line).not.toContain("hunter2");
    }
    rmSync(join(dir, "home/.docker/config.json"));
    mkdirSync(join(dir, "home/.docker/config.json"));
    await failsWith("invalid-argument", find("r.example/a"));
  });
});

describe("helpers", () => {
  test("credHelpers beat credsStore beat auths; the next is asked when one knows nothing", async () => {
    helper("one", `printf '{"ServerURL":"%s","Username":"one","Secret":"%s"}' "$server" "$server"`);
    helper("two", `printf '{"ServerURL":"x","Username":"two","Secret":"2"}'`);
    helper("none", "echo credentials not found in native keychain; exit 1");
    const auths = { "r.example": { auth: base64("file:3") }, "https://index.docker.io/v1/": {} };
    put("home/.docker/config.json", {
      auths,
      credsStore: "two",
      credHelpers: { "r.example": "one", "docker.io": "one" },
    });
    expect(await find("r.example/a")).toEqual(basic("one", "r.example"));
    expect(await find("other.example/a")).toEqual(basic("two", "2"));
    expect(await find("docker.io/library/a")).toEqual(basic("one", "https://index.docker.io/v1/"));
    put("home/.docker/config.json", { auths, credsStore: "none" });
    expect(await find("r.example/a")).toEqual(basic("file", "3"));
    expect(warnings).toEqual([]);
  });

  test("the user name <token> means an identity token", async () => {
    helper("t", `printf '{"Username":"<token>","Secret":"s"}'`);
    put("home/.docker/config.json", { credsStore: "t" });
    expect(await find("r.example/a")).toEqual({ kind: "identity", token: "s" });
  });

  test("one that does not work is warned of, in one line, without what it said in secret", async () => {
    helper("fails", "echo 'no way'; exit 3");
    helper("silent", "exit 3");
    helper("babbles", "echo hunter2");
    helper("floods", "cat /dev/zero");
    const cases: [string, RegExp][] = [
      ["fails", /^docker-credential-fails failed: no way; going on without credentials for r\.example$/],
      ["silent", /docker-credential-silent failed: status 3;/],
      ["babbles", /the answer of docker-credential-babbles is not valid JSON;/],
      ["floods", /writes more than 1048576 bytes;/],
      ["missing", /^docker-credential-missing is not in PATH;/],
    ];
    for (const [name, line] of cases) {
      put("home/.docker/config.json", { credsStore: name });
      expect(await find("r.example/a")).toBeUndefined();
      expect(warnings.pop()).toMatch(line);
    }
  });

  test("one that hangs is given up, even if its own child keeps the pipe open", async () => {
    const pidFile = join(dir, "pid");
    helper("hangs", `sleep 1000 & echo $! > ${pidFile}; wait`);
    put("home/.docker/config.json", { credsStore: "hangs" });
    // Long enough for the shell to have written the file, also on a busy machine.
    expect(await find("r.example/a", { helperMs: 500 })).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/does not answer within 0\.5 s;/)]);
    process.kill(Number(readFileSync(pidFile, "utf8")));
  });

  test("is looked for at absolute places of PATH only: where we stand may belong to somebody else", async () => {
    helper("near", `printf '{"Username":"near","Secret":"1"}'`);
    put("home/.docker/config.json", { credsStore: "near" });
    const near = relative(process.cwd(), join(dir, "bin"));
    const env = { HOME: join(dir, "home"), PATH: `:${near}:.:/usr/bin:/bin` };
    expect(await find("r.example/a", { env })).toBeUndefined();
    expect(warnings.pop()).toMatch(/^docker-credential-near is not in PATH;/);
    env.PATH += `:${dir}/bin`;
    expect(await find("r.example/a", { env })).toEqual(basic("near", "1"));
  });

  test("gets the caller's environment, all of it and nothing else", async () => {
    helper(
      "env",
      `printf '{"Username":"env","Secret":"%s"}' "$(tr '\\0' '\\n' < /proc/$$/environ | base64 -w0)"`,
    );
    put("home/.docker/config.json", { credsStore: "env" });
    const given = { PATH: `${dir}/bin:/usr/bin:/bin`, BUN_X: "a\tb", LD_BIND_NOW: "1", SECRET: "s" };
    const found = (await find("r.example/a", { caller: environmentOf(given) })) as { password: string };
    const lines = Buffer.from(found.password, "base64").toString().trimEnd().split("\n");
    expect(lines.sort()).toEqual(
      Object.entries(given)
        .map((entry) => entry.join("="))
        .sort(),
    );
  });

  for (const name of ["../evil", "a/b", "-x", "a b", "", "a\n"]) {
    test(`the name ${JSON.stringify(name)} is refused`, async () => {
      put("home/.docker/config.json", { credHelpers: { "r.example": name } });
      if (name === "") expect(await find("r.example/a")).toBeUndefined();
      else await failsWith("invalid-argument", find("r.example/a"));
    });
  }
});

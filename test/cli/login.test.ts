/** login and logout at a real registry: words, exit codes, the terminal, and where the password may be seen. */
import { afterAll, expect } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { FakeRegistry } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { pushLayout } from "../support/push.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { needs } from "../support/root.ts";
import { oneLine } from "./world.ts";

const { test, beforeAll } = needs({ root: true, tools: ["docker-registry", "busybox", "tar"] });

const password = "c4nary:w€ird=pass";
const auth = Buffer.from(`me:${password}`).toString("base64");
let registry: Registry;
let server: string;

beforeAll(async () => {
  registry = await startRegistry({ auth: { user: "me", password } });
  await pushLayout(await busyboxLayout(), "latest", registry, "private/busybox:1");
  server = registry.address;
}, 240_000);

afterAll(async () => registry?.[Symbol.asyncDispose]());

const fileOf = (host: TestHost) => join(host.env.DOCKER_CONFIG!, "config.json");
const written = (host: TestHost) => readFileSync(fileOf(host), "utf8");
const warning = (host: TestHost) =>
  `\nWARNING! Your credentials are stored unencrypted in '${fileOf(host)}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`;

function expectSecret(...outputs: string[]): void {
  for (const output of outputs) {
    expect(output).not.toContain("c4nary");
    expect(output).not.toContain(auth);
  }
}

test("login by stdin, pull, logout, and no pull", async () => {
  await using host = await testHost();
  const argv = ["login", "-u", "me", "--password-stdin", `http://${server}/v2/`];
  const { stdout, stderr, code } = await host.rt(argv, { stdin: `${password}\n` });
  expect([stdout, stderr, code]).toEqual(["Login Succeeded\n", warning(host), 0]);
  expect(written(host)).toBe(`{\n\t"auths": {\n\t\t"${server}": {\n\t\t\t"auth": "${auth}"\n\t\t}\n\t}\n}`);
  expect(statSync(fileOf(host)).mode & 0o7777).toBe(0o600);
  await host.ok(["pull", "-q", `${server}/private/busybox:1`]);
  expect((await host.rt(["search", `${server}/busy`])).stdout).toContain(`${server}/private/busybox`);
  const out = await host.rt(["logout", server]);
  expect([out.stdout, out.stderr, out.code]).toEqual([`Removing login credentials for ${server}\n`, "", 0]);
  expect(written(host)).toBe('{\n\t"auths": {}\n}');
  await host.ok(["rmi", `${server}/private/busybox:1`]);
  expect((await host.rt(["pull", "-q", `${server}/private/busybox:1`])).code).toBe(125);
  expect((await host.rt(["logout", server])).code).toBe(0);
});

test("what is stored is tried first; when it is right nothing is asked", async () => {
  await using host = await testHost();
  await host.ok(["login", "-u", "me", "--password-stdin", server], { stdin: password });
  const { stdout, stderr, code } = await host.rt(["login", server]);
  expect(stderr).toBe(
    `Authenticating with existing credentials... [Username: me]\n\n Info -> To login with a different account, run 'rt logout' followed by 'rt login'\n\n\n`,
  );
  expect([stdout, code]).toEqual(["Login Succeeded\n", 0]);
  writeFileSync(fileOf(host), written(host).replace(auth, Buffer.from("me:c4nary-old").toString("base64")));
  const wrong = await host.rt(["login", server]);
  expect(wrong.stderr).toContain(
    "Stored credentials invalid or expired\nrt: cannot perform an interactive login",
  );
  expect(wrong.code).toBe(125);
  expectSecret(stdout, stderr, wrong.stderr);
});

const refusedWords: [string, string[], string][] = [
  [
    "both",
    ["-u", "me", "-p", "x", "--password-stdin"],
    "conflicting options: cannot specify both --password and --password-stdin",
  ],
  ["no user", ["--password-stdin"], "the --password-stdin option requires --username to be set"],
  ["an empty user", ["-u", "", "--password-stdin"], "username is empty"],
  ["an empty password", ["-u", "me", "-p", ""], "password is empty"],
  ["an empty stdin", ["-u", "me", "--password-stdin"], "password is empty"],
  [
    "no terminal",
    ["-u", "me"],
    "cannot perform an interactive login from a non-TTY device: use -u and --password-stdin",
  ],
];
for (const [what, argv, line] of refusedWords) {
  test(`${what}: one line, and no request`, async () => {
    await using host = await testHost();
    await using fake = await FakeRegistry.start();
    const { stdout, stderr, code } = await host.rt(["login", ...argv, fake.host], { stdin: "" });
    expect([stdout, oneLine(stderr), code]).toEqual(["", line, 125]);
    expect(fake.requests).toEqual([]);
    expect(readdirSync(host.env.DOCKER_CONFIG!)).toEqual([]);
  });
}

test("a wrong password: docker's warning, one line, 1, and nothing is stored", async () => {
  await using host = await testHost();
  const { stdout, stderr, code } = await host.rt(["login", "-u", "me", "-p", "c4nary-wrong", server]);
  expect(stderr).toBe(
    `WARNING! Using --password via the CLI is insecure. Use --password-stdin.\nrt: ${server} refuses the login: wrong user name or password\n`,
  );
  expect([stdout, code]).toEqual(["", 1]);
  expect(readdirSync(host.env.DOCKER_CONFIG!)).toEqual([]);
});

test("the terminal: nobody sees the password, keys that erase are obeyed, and it is as it was", async () => {
  await using host = await testHost();
  await using pty = host.pty(["login", server]);
  await pty.screen.waitFor("Username: ");
  const before = await untouched(host);
  pty.type("me\r");
  await pty.screen.waitFor("Password: ");
  pty.type(`lost\u0015${password}€x\u007f\u007f\r`);
  expect(await pty.exited).toBe(0);
  expect(pty.screen.text).toBe(
    `Username: me\r\nPassword: \r\n${warning(host).replaceAll("\n", "\r\n")}Login Succeeded\r\n`,
  );
  expect(pty.flags()).toEqual(before);
  expect(written(host)).toContain(auth);
});

/** A terminal as a program finds it. That of the test may be changed before it is looked at. */
async function untouched(host: TestHost) {
  await using pty = host.pty(["--version"]);
  await pty.exited;
  return pty.flags();
}

for (const [how, end, status] of [
  ["Ctrl-C", (pty: ReturnType<TestHost["pty"]>) => pty.type("c4nary\u0003"), 130],
  ["SIGTERM", (pty: ReturnType<TestHost["pty"]>) => pty.kill("SIGTERM"), 143],
  ["SIGHUP", (pty: ReturnType<TestHost["pty"]>) => pty.kill("SIGHUP"), 129],
] as const) {
  test(`${how} at the password: the terminal is as it was, and nothing is stored`, async () => {
    await using host = await testHost();
    await using pty = host.pty(["login", "-u", "me", server]);
    const before = await untouched(host);
    await pty.screen.waitFor("Password: ");
    expect(pty.flags().local).not.toBe(before.local);
    end(pty);
    expect(await pty.exited).toBe(status);
    expect(pty.flags()).toEqual(before);
    expectSecret(pty.screen.text);
    expect(readdirSync(host.env.DOCKER_CONFIG!)).toEqual([]);
  });
}

/** `docker-credential-keep`: a file of secrets, and notes of what it was asked, its words and its environment. */
function keeper(host: TestHost, script = ""): Record<string, string> {
  const bin = join(host.dir, "bin");
  mkdirSync(bin, { recursive: true });
  const path = join(bin, "docker-credential-keep");
  const kept = `${host.dir}/kept`;
  writeFileSync(
    path,
    `#!/bin/sh
input=$(cat)
{ echo "$*"; tr '\\0' ' ' < /proc/$PPID/cmdline; env; } >> '${host.dir}/seen'
${script}
case $1 in
store) printf '%s' "$input" > '${kept}';;
get) [ -e '${kept}' ] && cat '${kept}' || { echo credentials not found in native keychain; exit 1; };;
erase) rm -f '${kept}';;
list) echo '{}';;
esac
`,
  );
  chmodSync(path, 0o755);
  writeFileSync(fileOf(host), '{"credsStore":"keep","mine":1}');
  return { PATH: `${bin}:${host.env.PATH}` };
}

test("a credential helper keeps it: no word of it in the file, on a command line or in an environment", async () => {
  await using host = await testHost();
  const env = keeper(host);
  const argv = ["login", "-u", "me", "--password-stdin", server];
  const { stdout, stderr, code } = await host.rt(argv, { stdin: password, env });
  expect([stdout, stderr, code]).toEqual(["Login Succeeded\n", "", 0]);
  expect(JSON.parse(written(host))).toEqual({ auths: { [server]: {} }, credsStore: "keep", mine: 1 });
  expect(JSON.parse(readFileSync(join(host.dir, "kept"), "utf8"))).toEqual({
    ServerURL: server,
    Username: "me",
    Secret: password,
  });
  await host.ok(["pull", "-q", `${server}/private/busybox:1`], { env });
  await host.ok(["login", server], { env });
  await host.ok(["logout", server], { env });
  expect(existsSync(join(host.dir, "kept"))).toBe(false);
  expect(JSON.parse(written(host))).toEqual({ auths: {}, credsStore: "keep", mine: 1 });
  expectSecret(readFileSync(join(host.dir, "seen"), "utf8"), written(host));
});

test("a helper that fails and tells: one line, 1, and nothing is half-stored", async () => {
  await using host = await testHost();
  const env = keeper(host, '[ "$1" = store ] && { echo "cannot keep $input"; exit 1; }');
  const argv = ["login", "-u", "me", "--password-stdin", server];
  const { stdout, stderr, code } = await host.rt(argv, { stdin: password, env });
  expect(oneLine(stderr)).toEndWith(
    "docker-credential-keep failed: what it says has a secret in it, and is not shown",
  );
  expect([stdout, code]).toEqual(["", 1]);
  expect(written(host)).toBe('{"credsStore":"keep","mine":1}');
  expect(existsSync(join(host.dir, "kept"))).toBe(false);
});

test("with RT_DEBUG and every trace on, the password is in no output; a damaged file is told of without it", async () => {
  await using host = await testHost();
  const env = { RT_DEBUG: "1", RT_TRACE: "ffi", BUN_CONFIG_VERBOSE_FETCH: "curl", NODE_DEBUG: "http,net" };
  const argv = ["login", "-u", "me", "--password-stdin", server];
  const good = await host.rt(argv, { stdin: password, env });
  expect(good.code).toBe(0);
  writeFileSync(fileOf(host), written(host).slice(0, -6));
  const bad = await host.rt(argv, { stdin: password, env });
  expect(bad.stderr).toContain(`credentials file ${fileOf(host)} is not valid JSON`);
  expect(bad.code).toBe(1);
  expectSecret(good.stdout, good.stderr, bad.stdout, bad.stderr);
});

test("no place to keep it; a file of podman's is read and never written", async () => {
  await using host = await testHost();
  const argv = ["login", "-u", "me", "--password-stdin", server];
  const nowhere = await host.rt(argv, { stdin: password, env: { HOME: "", DOCKER_CONFIG: "" } });
  expect(oneLine(nowhere.stderr)).toBe(
    "there is no place for credentials: neither DOCKER_CONFIG nor HOME is set",
  );
  const podmans = join(host.dir, "podmans.json");
  const content = JSON.stringify({ auths: { [server]: { auth } } });
  writeFileSync(podmans, content);
  const env = { REGISTRY_AUTH_FILE: podmans };
  const { stderr } = await host.rt(argv, { stdin: password, env });
  expect(stderr).toContain("REGISTRY_AUTH_FILE is set");
  const out = await host.rt(["logout", server], { env });
  expect(oneLine(out.stderr)).toContain(`there are still credentials for ${server}`);
  expect(readFileSync(podmans, "utf8")).toBe(content);
});

test("in HOME, where DOCKER_CONFIG says nothing; the directory is its owner's alone", async () => {
  await using host = await testHost();
  const home = join(host.dir, "another");
  const env = { HOME: home, DOCKER_CONFIG: "" };
  await host.ok(["login", "-u", "me", "--password-stdin", server], { stdin: password, env });
  expect(statSync(join(home, ".docker")).mode & 0o7777).toBe(0o700);
  expect(readFileSync(join(home, ".docker/config.json"), "utf8")).toContain(auth);
});

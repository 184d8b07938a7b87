/**
 * The caller's environment and the directory that it stands in do not steer the executable. dist/rt is a JavaScript
 * runtime and a C library, and both take orders from variables and files: to run a script, to load a library, to print,
 * to open a port, to trust anybody. Each is given a hostile value; what rt prints and its exit status stay the same byte
 * for byte, and strace sees it look at no file that it has no business with.
 */
import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { type TestHost, testHost } from "../../support/host.ts";
import { needs } from "../../support/root.ts";
import { type RtResult, rtBinary } from "../../support/rt.ts";
import { traceFiles } from "../../support/strace.ts";
import { until } from "../../support/wait.ts";
import { setTraps } from "./environment-traps.ts";
import { hostile, passing } from "./environment-values.ts";

const { test, met } = needs({ root: true, tools: ["strace"] });

const commands = [
  ["--version"],
  ["ps", "-a"],
  ["images"],
  ["run", "--rm", "--hostname", "h", "embed:hello", "env"],
];

let host: TestHost;
let registry: FakeRegistry;
let traps: string;
const wanted = new Map<string, RtResult>();

beforeAll(async () => {
  if (!met) return;
  host = await testHost();
  registry = await FakeRegistry.start();
  await host.ok(["run", "--rm", "-q", "embed:hello"]);
  traps = join(host.dir, "traps");
  await setTraps(traps);
  for (const command of commands) wanted.set(command.join(" "), await host.rt(command, { cwd: "/" }));
}, 300_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
});

async function unmoved(env: Record<string, string>, cwd = "/"): Promise<void> {
  for (const command of commands) {
    const { stdout, stderr, code } = await host.rt(command, { env, cwd });
    const { stdout: out, stderr: err, code: status } = wanted.get(command.join(" "))!;
    expect({ env, command, stdout, stderr, code }).toEqual({
      env,
      command,
      stdout: out,
      stderr: err,
      code: status,
    });
  }
  expect(readdirSync(join(traps, "open"))).toEqual([]);
}

test("the commands that are compared do work, and the traps do snap", async () => {
  for (const { code, stderr } of wanted.values()) expect([code, stderr]).toEqual([0, ""]);
  expect(wanted.get("--version")!.stdout).toMatch(/^rt version /);
  expect(wanted.get("run --rm --hostname h embed:hello env")!.stdout).toContain("env HOSTNAME=h\n");
  const bun = Bun.spawnSync([process.execPath, join(traps, "trap.js")]);
  expect([bun.exitCode, bun.stderr.toString()]).toEqual([66, "trapped\n"]);
  const victim = Bun.spawnSync(["/bin/sh", "-c", ":"], { env: { LD_PRELOAD: join(traps, "trap.so") } });
  expect([victim.exitCode, victim.stderr.toString()]).toEqual([66, "trapped\n"]);
});

for (const [whose, variables] of Object.entries(hostile)) {
  test(`${whose} variables count for nothing`, () => unmovedByEach(variables), 300_000);
}

test("the names that pass do what they are there for alone", () => unmovedByEach(passing), 300_000);

async function unmovedByEach(variables: Readonly<Record<string, string[]>>): Promise<void> {
  for (const [name, values] of Object.entries(variables)) {
    for (const value of values) await unmoved({ [name]: value.replaceAll("@", traps) });
  }
}

/** The last value of each that should not arrive. */
function everything(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const variables of Object.values(hostile)) {
    for (const [name, values] of Object.entries(variables)) env[name] = values.at(-1)!.replaceAll("@", traps);
  }
  return env;
}

test("the files that lie where rt is started count for nothing, nor do those in HOME, with every variable at once", async () => {
  await unmoved({}, traps);
  await unmoved(everything(), traps);
  const places = {
    HOME: join(traps, "home"),
    XDG_CONFIG_HOME: join(traps, "xdg"),
    XDG_CACHE_HOME: join(traps, "open"),
  };
  await unmoved({ ...everything(), ...places }, traps);
});

test("many variables, and long ones", async () => {
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`BUN_${i}`, `${i}`]));
  await unmoved(many);
  await unmoved({ BUN_OPTIONS: "-".repeat(100_000), FOO: "x".repeat(120_000) });
});

test("no file is looked at but rt's own, the kernel's, and those that are documented", async () => {
  const env = { ...host.env, ...everything() };
  const home = [env.HOME!, env.XDG_CONFIG_HOME!, env.XDG_RUNTIME_DIR!, env.DOCKER_CONFIG!];
  const pull = registry.host.replace("127.0.0.1", "localhost");
  const lookups = [
    ["pull", "-q", `${pull}/none:1`],
    ["pull", "-q", "registry.invalid/none:1"],
    ["info"],
    ["inspect", "embed:hello"],
  ];
  for (const command of [...commands, ...lookups]) {
    const { paths, executed, listening } = await traceFiles([rtBinary, ...command], { env, cwd: traps });
    expect(paths).toContain("/proc/self/exe");
    const strange = paths.filter((path) => !isOurs(path) && !home.some((dir) => isDocumented(path, dir)));
    expect({ command, strange }).toEqual({ command, strange: [] });
    const programs = command[0] === "run" ? [rtBinary, "/probe", "rt-monitor"] : [rtBinary];
    expect(executed.map((file) => basename(file)).sort()).toEqual(
      programs.map((file) => basename(file)).sort(),
    );
    expect(listening).toBe(false);
  }
}, 240_000);

function isOurs(path: string): boolean {
  if (path === rtBinary || /^\/(proc|sys)(\/|$)/.test(path)) return true;
  for (const own of [host.root, host.state]) {
    // SQLite asks of each directory on the way whether it is a link.
    if (path === own || path.startsWith(`${own}/`) || own.startsWith(path === "/" ? path : `${path}/`))
      return true;
  }
  // Hooks as podman has them, and CDI: README, "Configuration".
  if (/^\/(etc|usr\/share)\/containers\/oci\/hooks\.d$|^\/(etc|var\/run)\/cdi$/.test(path)) return true;
  if (/^\/etc\/(containers|docker)\/certs\.d\/|^\/etc\/(ssl|pki)\/|^\/etc\/rt\/config\.toml$/.test(path))
    return true;
  // The last one is what an engine is known by, of `info`.
  return /^\/etc\/(hosts|host\.conf|resolv\.conf|passwd|group|localtime|os-release|machine-id)$|^\/dev\/u?random$/.test(
    path,
  );
}

/** The configuration and credentials in one of a user's directories. */
function isDocumented(path: string, dir: string): boolean {
  const names = [
    "rt/config.toml",
    "config.json",
    ".docker/config.json",
    ".config/rt/config.toml",
    "containers/auth.json",
  ];
  return names.some((name) => path === join(dir, name));
}

test("a container is given exactly what the user asks for, by value or by name", async () => {
  const env = {
    ...everything(),
    BUN_X: "from the caller",
    LD_PRELOAD: "",
    ODD: " a=b  ",
    "WITH.DOT": "1",
  };
  const names = Object.keys(env);
  const flags = [
    "-e",
    "BUN_GIVEN=1",
    "-e",
    "BUN_OPTIONS",
    "-e",
    "NODE_NOT_SET",
    ...names.flatMap((name) => ["-e", name]),
  ];
  const stdout = await host.ok(["run", "--rm", ...flags, "embed:hello", "env"], { env });
  for (const [name, value] of Object.entries(env)) expect(stdout).toContain(`env ${name}=${value}\n`);
  expect(stdout).toContain("env BUN_GIVEN=1\n");
  expect(stdout).not.toContain("NODE_NOT_SET");
  const file = join(host.dir, "env-file");
  writeFileSync(file, "BUN_X\nNODE_NOT_SET\nLD_PRELOAD=/own.so\n");
  const fromFile = await host.ok(["run", "--rm", "--env-file", file, "embed:hello", "env"], { env });
  expect(fromFile).toContain("env BUN_X=from the caller\n");
  expect(fromFile).toContain("env LD_PRELOAD=/own.so\n");
  expect(fromFile).not.toContain("NODE_NOT_SET");
  expect(await host.ok(["run", "--rm", "embed:hello", "env"], { env })).not.toContain("BUN_");
});

test("a variable whose bytes are no text is refused by name, in one line", async () => {
  const child = Bun.spawnSync(
    ["/bin/sh", "-c", `BUN_BAD=$(printf '\\377') exec "$0" run --rm -e BUN_BAD embed:hello env`, rtBinary],
    { env: host.env },
  );
  expect(child.stderr.toString()).toBe('rt: the environment variable "BUN_BAD" is not UTF-8 text\n');
  expect(child.exitCode).toBe(125);
});

test("SIGUSR1 opens no debugger: it ends rt, as it ends any program that does not look after it", async () => {
  await using silent = await FakeRegistry.start();
  silent.always(/./, () => {});
  await using client = host.spawn(["pull", "-q", `${silent.host}/slow:1`]);
  await until("rt waits for the registry", () => silent.requests.length > 0);
  client.kill("SIGUSR1");
  expect(await client.exited).toBe(128 + 10);
  expect([client.stdout.text, client.stderr.text]).toEqual(["", ""]);
});

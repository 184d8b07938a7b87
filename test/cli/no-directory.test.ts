/** rt started in a directory that was deleted: only what is relative to it fails, and says why. */
import { expect } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestHost, testHost } from "../support/host.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { oneLine } from "./world.ts";

const { test } = needs({ root: true });

/** `rt ARGS` in a directory that is gone by then. */
async function nowhere(host: TestHost, args: readonly string[], env: Record<string, string> = {}) {
  const directory = mkdtempSync(join(host.dir, "gone-"));
  const child = Bun.spawn(["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", rtBinary, ...args], {
    cwd: directory,
    env: { ...host.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { stdout, stderr, code: await child.exited };
}

test("what names no path, or an absolute one, works", async () => {
  await using host = await testHost();
  const file = join(host.dir, "cid");
  mkdirSync(join(host.dir, "data"));
  writeFileSync(join(host.dir, "data/here"), "");
  writeFileSync(join(host.dir, "env"), "A=b\n");
  const commands: [args: string[], words: string][] = [
    [["--version"], "rt version"],
    [["version"], "Version:"],
    [["info"], "Storage Driver"],
    [["ps", "-a"], "CONTAINER ID"],
    [["images"], "REPOSITORY"],
    [["pull", "-q", "embed:hello"], "embed:hello"],
    [["run", "--rm", "embed:hello", "ids"], "uid"],
    [
      ["run", "--rm", "--cidfile", file, "--env-file", join(host.dir, "env"), "embed:hello", "env"],
      "env A=b",
    ],
    [["run", "--rm", "-v", `${join(host.dir, "data")}:/data`, "-v", "named:/n", "embed:hello", "ids"], "uid"],
  ];
  for (const [args, words] of commands) {
    const { stdout, stderr, code } = await nowhere(host, args);
    expect([args, stderr, code]).toEqual([args, stderr, 0]);
    expect(stdout).toContain(words);
  }
});

test("a relative path is refused, and is not looked for anywhere else", async () => {
  await using host = await testHost();
  const commands: [args: string[], env?: Record<string, string>][] = [
    [["run", "--rm", "-v", "./x:/y", "embed:hello"]],
    [["run", "--rm", "--mount", "type=bind,src=./tmp,dst=/y", "embed:hello"]],
    [["run", "--rm", "--cidfile", "rel", "embed:hello"]],
    [["run", "--rm", "--env-file", "rel", "embed:hello"]],
    [["run", "--rm", "--label-file", "rel", "embed:hello"]],
    [["--config", "etc/rt/config.toml", "pull", "oci:/nosuch"]],
    [["pull", "oci:rel"]],
    [["run", "docker-archive:rel"]],
    [["pack", "-o", "rel", "embed:hello"]],
    [["pull", "registry.test/a"], { SSL_CERT_FILE: "etc/ssl/certs/ca-certificates.crt" }],
  ];
  for (const [args, env] of commands) {
    const { stderr, code } = await nowhere(host, args, env);
    expect(oneLine(stderr)).toMatch(/ is a relative path, and the working directory was deleted$/);
    expect([args, code]).toEqual([args, 125]);
  }
});

test("a directory that is too deep for a path", async () => {
  await using host = await testHost();
  const way = Array(12).fill("d".repeat(200)).join("/");
  const [upper, lower] = [join(host.dir, "upper"), join(host.dir, "lower")];
  for (const part of [upper, lower]) mkdirSync(join(part, way), { recursive: true });
  // Each half has a path, so that it can be removed; both together have none.
  renameSync(join(lower, way.split("/", 1)[0]!), join(upper, way, "lower"));
  const rest = way.replace(/^d+/, "lower");
  const started = async (...args: string[]) => {
    const { stdout, stderr, code } = await host.rt(
      ["-C", join(upper, way), "env", "-C", rest, rtBinary, ...args],
      { binary: "env" },
    );
    return { stdout, stderr, code };
  };
  try {
    expect(await started("run", "--rm", "-q", "embed:hello", "exit", "3")).toEqual({
      stdout: "",
      stderr: "",
      code: 3,
    });
    const { stderr, code } = await started("pull", "oci:rel");
    expect(oneLine(stderr)).toMatch(
      / is a relative path, and the working directory is too deep to have a name$/,
    );
    expect(code).toBe(125);
  } finally {
    renameSync(join(upper, way, "lower"), join(lower, "rest"));
  }
});

test("the caller cannot say that there is none", async () => {
  await using host = await testHost();
  mkdirSync(join(host.dir, "data"));
  await host.ok(["run", "--rm", "-v", "./data:/data", "embed:hello", "ids"], {
    cwd: host.dir,
    env: { RT_NO_CWD: "1" },
  });
});

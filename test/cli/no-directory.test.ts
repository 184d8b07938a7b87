/** rt started in a directory that was deleted: only what is relative to it fails, and says why. */
import { expect } from "bun:test";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
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

test("the caller cannot say that there is none", async () => {
  await using host = await testHost();
  mkdirSync(join(host.dir, "data"));
  await host.ok(["run", "--rm", "-v", "./data:/data", "embed:hello", "ids"], {
    cwd: host.dir,
    env: { RT_NO_CWD: "1" },
  });
});

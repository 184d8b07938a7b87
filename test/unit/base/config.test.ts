import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../../src/base/config-files.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-config-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Reads a file that says this, whose name is "f" in what is thrown. */
async function configOf(text: string) {
  const file = join(dir, "f");
  writeFileSync(file, text);
  try {
    return await readConfig({ file });
  } catch (error) {
    throw new Error((error as Error).message.replace(file, "f"));
  }
}

describe("the form", () => {
  test("the README's example can be copied", async () => {
    const readme = readFileSync(join(import.meta.dir, "../../../README.md"), "utf8");
    const [, example] = /### Configuration\n[\s\S]*?```toml\n([\s\S]*?)```/.exec(readme)!;
    expect((await configOf(example!)).registries.get("docker.io")?.mirrors).toHaveLength(2);
  });

  test("all keys", async () => {
    const config = await configOf(
      `storage-driver = "copy"
       cgroup-manager = "systemd"
       max-layer-size = "2g"
       store-limit = "20g"
       registry-timeout = 2.5
       seccomp-profile = "/etc/profile.json"
       selinux-enabled = true
       userns = "auto:size=4096"
       userns-ids = "2147483648:65536"
       [registries."docker.io"]
       mirrors = ["https://mirror.example", "http://127.0.0.1:5000"]
       [registries."r.lan:5000"]
       insecure = true
       token-servers = ["login.example"]`,
    );
    expect(config.storageDriver).toBe("copy");
    expect(config.cgroupManager).toBe("systemd");
    expect(config.maxLayerSize).toBe(2 * 1024 ** 3);
    expect(config.storeLimit).toBe(20 * 1024 ** 3);
    expect(config.registryTimeout_ms).toBe(2500);
    expect(config.seccompProfile).toBe("/etc/profile.json");
    expect(config.selinuxEnabled).toBe(true);
    expect(config.userns).toBe("auto:size=4096");
    expect(config.usernsIds).toEqual({ first: 2147483648, size: 65536 });
    expect((await configOf('seccomp-profile = "unconfined"')).seccompProfile).toBe("unconfined");
    expect((await configOf("max-layer-size = 4096")).maxLayerSize).toBe(4096);
    expect(config.registries.get("docker.io")).toEqual({
      mirrors: ["https://mirror.example", "http://127.0.0.1:5000"],
      insecure: false,
      tokenServers: [],
    });
    expect(config.registries.get("r.lan:5000")).toEqual({
      mirrors: [],
      insecure: true,
      tokenServers: ["login.example"],
    });
  });

  const wrong: [text: string, message: string][] = [
    ['storage-drivr = "x"', 'config file f: unknown key "storage-drivr"; did you mean storage-driver?'],
    [
      '[registries."a.b"]\nmirors = []',
      `unknown key "registries.\\"a.b\\".mirors"; did you mean registries."a.b".mirrors?`,
    ],
    ['seccomp-profile = "profile.json"', "seccomp-profile must be builtin, unconfined or the absolute path"],
    ['userns = "hosts"', 'config file f: userns must be "host", "auto", "keep-id" or "nomap", with options'],
    ["userns = true", "config file f: userns must be"],
    ['userns = "container:x"', "config file f: userns must be"],
    ['userns = "auto\\nx"', "config file f: userns must be"],
    [
      'userns-ids = "0:65536"',
      'config file f: userns-ids must be "FIRST:COUNT", with numbers from 1 to 4294967294',
    ],
    ['userns-ids = "100000"', "config file f: userns-ids must be"],
    ['userns-ids = "4294967294:2"', "config file f: userns-ids must be"],
    ["userns-ids = [1, 2]", "config file f: userns-ids must be"],
    ["selinux-enabled = 1", "selinux-enabled must be true or false"],
    ["seccomp-profile = true", "seccomp-profile must be builtin, unconfined or the absolute path"],
    ['cgroup-manager = "cgroup"', 'cgroup-manager must be "cgroupfs" or "systemd"'],
    ["storage-driver = 3", "config file f: storage-driver must be a string"],
    ["registries = 3", "registries must be a table"],
    ['[registries."a.b"]\ninsecure = "yes"', "insecure must be true or false"],
    ['[registries."a.b"]\nmirrors = "x"', "must be an array of strings"],
    ['[registries."a.b"]\nmirrors = ["mirror.example"]', "must look like https://host[:port]"],
    ['[registries."a.b"]\nmirrors = ["ftp://m"]', "must look like https://host[:port]"],
    ['[registries."a.b"]\nmirrors = ["https://u:p@m"]', "must look like https://host[:port]"],
    ['[registries."a.b"]\nmirrors = ["https://m/path"]', "must look like https://host[:port]"],
    ['[registries."https://a.b"]\n', "without scheme and path"],
    [
      'max-layer-size = "0"',
      "config file f: max-layer-size must be a number of bytes, or one with k, m, g or t",
    ],
    ["max-layer-size = -1", "config file f: max-layer-size must be"],
    ["store-limit = true", "config file f: store-limit must be"],
    ["max-layer-size = true", "config file f: max-layer-size must be"],
    ['registry-timeout = "30"', "config file f: registry-timeout must be a number of seconds, at most 3600"],
    ["registries = 1979-05-27", "registries must be a table"],
    ['a = "1"\nb = [', "config file f: line 2: unfinished array at column 5"],
    ["a = 1\r\nb = ]", "config file f: line 2: invalid value at column 5"],
    [
      "a = 1\na = 2",
      "config file f: line 2: trying to redefine an already defined table or value at column 1",
    ],
    [`a = ${"[".repeat(100_000)}`, "config file f: line 1: document contains excessively nested structures"],
  ];
  for (const [text, message] of wrong) {
    test(JSON.stringify(text), async () => {
      await expect(configOf(text)).rejects.toThrow(message);
      await expect(configOf(text)).rejects.toThrow(/^[^\n]*$/);
    });
  }
});

describe("the files", () => {
  const put = (name: string, text: string) => {
    const file = join(dir, name);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
    return file;
  };

  test("the user's goes over the system's; both may be missing", async () => {
    const systemFile = put(
      "etc",
      'storage-driver = "copy"\n[registries."a.b"]\ninsecure = true\n[registries."c.d"]',
    );
    put("xdg/rt/config.toml", '[registries."a.b"]\nmirrors = ["https://m"]');
    const config = await readConfig({ systemFile, env: { XDG_CONFIG_HOME: join(dir, "xdg") } });
    expect(config.storageDriver).toBe("copy");
    expect(config.registries.get("a.b")).toEqual({
      mirrors: ["https://m"],
      insecure: false,
      tokenServers: [],
    });
    expect([...config.registries.keys()]).toEqual(["a.b", "c.d"]);
    put("home/.config/rt/config.toml", 'storage-driver = "overlay"');
    expect((await readConfig({ systemFile, env: { HOME: join(dir, "home") } })).storageDriver).toBe(
      "overlay",
    );
    expect(await readConfig({ systemFile: join(dir, "none"), env: {} })).toEqual({ registries: new Map() });
  });

  test("--config is the only one, and must be there", async () => {
    const systemFile = put("etc2", 'storage-driver = "copy"');
    const file = put("own", "");
    expect((await readConfig({ file, systemFile, env: {} })).storageDriver).toBeUndefined();
    const missing = join(dir, "missing");
    await expect(readConfig({ file: missing, systemFile, env: {} })).rejects.toThrow(
      `config file ${missing} does not exist`,
    );
    await expect(readConfig({ file: dir, systemFile, env: {} })).rejects.toThrow(/not a regular file/);
  });
});

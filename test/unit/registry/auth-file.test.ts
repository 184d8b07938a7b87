/** Docker's config.json as it is written: what stays, where it goes, who may read it, and what is refused. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RtError } from "../../../src/base/errors.ts";
import { FileLock } from "../../../src/content/file-lock.ts";
import {
  type CredentialPlace,
  eraseCredential,
  storeCredential,
} from "../../../src/registry/credential-store.ts";
import { findCredential } from "../../../src/registry/credentials.ts";
import { serverName } from "../../../src/registry/server-name.ts";
import { run } from "../../support/command.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-auth-file-"));
  path = join(dir, "docker/config.json");
});
afterEach(() => rmSync(dir, { recursive: true }));

const place = (more: Partial<CredentialPlace> = {}): CredentialPlace => ({
  path,
  lock: (file) => FileLock.acquire(file),
  env: { PATH: `${join(dir, "bin")}:/usr/bin:/bin` },
  helperMs: 20_000,
  ...more,
});

const login = (server: string, username = "me", password = "hunter2", where = place()) =>
  storeCredential(where, serverName(server), { kind: "basic", username, password }, username);

function put(text: string): void {
  mkdirSync(join(dir, "docker"), { recursive: true });
  writeFileSync(path, text);
}

async function refused(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    () => new Error("it was not refused"),
    (caught: unknown) => caught,
  );
  if (!(error instanceof RtError)) throw error;
  expect(error.message.split("\n")).toHaveLength(1);
  expect(error.message).not.toContain("hunter2");
  return error;
}

const text = () => readFileSync(path, "utf8");
const base64 = (plain: string) => Buffer.from(plain).toString("base64");

describe("the file", () => {
  test("a new one, as docker writes it", async () => {
    expect(await login("r.example:5000", "me", "p:w€")).toBe(true);
    expect(text()).toBe(
      `{\n\t"auths": {\n\t\t"r.example:5000": {\n\t\t\t"auth": "${base64("me:p:w€")}"\n\t\t}\n\t}\n}`,
    );
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(statSync(join(dir, "docker")).mode & 0o7777).toBe(0o700);
    expect(readdirSync(join(dir, "docker"))).toEqual(["config.json"]);
  });

  test("what docker does not know of, and every number, is kept to the letter", async () => {
    put(
      '{"HttpHeaders":{"X":"1"},"auths":{"z.example":{"auth":"eDp5","email":"a@b"}},"big":12345678901234567890,"e":1.50,"credHelpers":{"q":"w"}}',
    );
    chmodSync(path, 0o644);
    await login("a.example");
    expect(text()).toBe(
      [
        "{",
        '\t"HttpHeaders": {',
        '\t\t"X": "1"',
        "\t},",
        '\t"auths": {',
        '\t\t"a.example": {',
        `\t\t\t"auth": "${base64("me:hunter2")}"`,
        "\t\t},",
        '\t\t"z.example": {',
        '\t\t\t"auth": "eDp5",',
        '\t\t\t"email": "a@b"',
        "\t\t}",
        "\t},",
        '\t"big": 12345678901234567890,',
        '\t"e": 1.50,',
        '\t"credHelpers": {',
        '\t\t"q": "w"',
        "\t}",
        "}",
      ].join("\n"),
    );
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    await eraseCredential(place(), serverName("https://A.example/v2/"));
    expect(JSON.parse(text()).auths).toEqual({ "z.example": { auth: "eDp5", email: "a@b" } });
  });

  test("Docker Hub has its old name, whatever it is called", async () => {
    for (const name of [
      "",
      "docker.io",
      "index.docker.io",
      "https://index.docker.io/v1/",
      "registry-1.docker.io",
    ]) {
      await login(name);
      expect(Object.keys(JSON.parse(text()).auths)).toEqual(["https://index.docker.io/v1/"]);
      await eraseCredential(place(), serverName(name));
      expect(JSON.parse(text()).auths).toEqual({});
    }
  });

  test("an identity token stands in the place of the password", async () => {
    const token = { kind: "identity" as const, token: "the-token" };
    await storeCredential(place(), serverName("r.example"), token, "me");
    expect(JSON.parse(text()).auths).toEqual({
      "r.example": { auth: base64("me:"), identitytoken: "the-token" },
    });
  });

  test("a link leads to what is written, also where there is nothing yet; a circle is refused", async () => {
    mkdirSync(join(dir, "docker"));
    mkdirSync(join(dir, "real"));
    symlinkSync("../real/link", path);
    symlinkSync("there.json", join(dir, "real/link"));
    await login("r.example");
    expect(readlinkSync(path)).toBe("../real/link");
    expect(readdirSync(join(dir, "real")).sort()).toEqual(["link", "there.json"]);
    expect(statSync(join(dir, "real/there.json")).mode & 0o7777).toBe(0o600);
    rmSync(join(dir, "real/there.json"));
    symlinkSync("link", join(dir, "real/there.json"));
    expect((await refused(login("r.example"))).message).toContain("its links lead in a circle");
  });

  test("logins at once lose nothing", async () => {
    const servers = Array.from({ length: 30 }, (_, i) => `r${i}.example`);
    await Promise.all(servers.map((server) => login(server)));
    expect(Object.keys(JSON.parse(text()).auths).sort()).toEqual(servers.sort());
    expect(readdirSync(join(dir, "docker"))).toEqual(["config.json"]);
  });

  test("what a login that was killed has left goes with the next", async () => {
    put("{}");
    writeFileSync(`${path}${crypto.randomUUID()}`, "secret");
    writeFileSync(`${path}.old`, "mine");
    await login("r.example");
    expect(readdirSync(join(dir, "docker")).sort()).toEqual(["config.json", "config.json.old"]);
  });

  test("nothing is written where there is nothing to forget, and none is made", async () => {
    await eraseCredential(place(), serverName("r.example"));
    expect(existsSync(join(dir, "docker"))).toBe(false);
    put('{"auths":{}}');
    await eraseCredential(place(), serverName("r.example"));
    expect(text()).toBe('{"auths":{}}');
  });

  test("the entry of this very name comes before an older one of the same server", async () => {
    put(JSON.stringify({ auths: { "http://r.example": { auth: base64("old:1") } } }));
    await login("r.example", "new", "2");
    const options = { authFile: path, env: {}, helperMs: 1000, warn: () => {} };
    expect(await findCredential("r.example/a", options)).toEqual({
      kind: "basic",
      username: "new",
      password: "2",
    });
    await eraseCredential(place(), serverName("r.example"));
    expect(JSON.parse(text()).auths).toEqual({});
  });
});

describe("a file that is not to be understood is left as it is", () => {
  const damaged: [string, string, RegExp][] = [
    ["cut", '{"auths":{"x":{"auth":"aHVudGVyMg', /is not valid JSON$/],
    ["no object", "[1]", /is an array: want an object$/],
    ["odd auths", '{"auths":[]}', /auths is an array: want an object$/],
    ["odd entry", '{"auths":{"x":5}}', /auths is number: want an object$/],
    ["too deep", `${'{"a":'.repeat(50)}1${"}".repeat(50)}`, /nested more than 32 levels/],
    ["huge", `{"a":"${"x".repeat(2 << 20)}"}`, /at most 1048576 are accepted$/],
    ["a helper that is no name", '{"credsStore":"../../bin/sh"}', /is not a valid name$/],
  ];
  for (const [what, content, message] of damaged) {
    test(what, async () => {
      put(content);
      expect((await refused(login("r.example"))).message).toMatch(message);
      expect(text()).toBe(content);
      expect(readdirSync(join(dir, "docker"))).toEqual(["config.json"]);
    });
  }

  test("a FIFO and a directory are not waited for", async () => {
    mkdirSync(join(dir, "docker"));
    await run(["mkfifo", path]);
    expect((await refused(login("r.example"))).message).toEndWith("not a regular file");
    expect((await refused(eraseCredential(place(), serverName("r.example")))).message).toEndWith(
      "not a regular file",
    );
    rmSync(path);
    mkdirSync(path);
    expect((await refused(login("r.example"))).message).toContain(path);
  });

  test("a place that is a file", async () => {
    writeFileSync(join(dir, "docker"), "");
    expect((await refused(login("r.example"))).message).toMatch(/E(NOTDIR|EXIST)/);
  });
});

describe("helpers", () => {
  /** Notes what it was asked, then does `script`; what came by stdin is $input. */
  function helper(script: string): void {
    mkdirSync(join(dir, "bin"), { recursive: true });
    const file = join(dir, "bin/docker-credential-fake");
    const note = `input=$(cat); printf '%s|%s|%s\\n' "$*" "$#" "$input" >> '${dir}/asked'`;
    writeFileSync(file, `#!/bin/sh\n${note}\n${script}\n`);
    chmodSync(file, 0o755);
  }
  const asked = () => readFileSync(join(dir, "asked"), "utf8").trimEnd().split("\n");

  test("store: by stdin; of the file there is only the name left", async () => {
    helper("true");
    put(JSON.stringify({ auths: { "r.example": { auth: base64("me:old") } }, credsStore: "fake" }));
    expect(await login("r.example")).toBe(false);
    expect(asked()).toEqual(['store|1|{"ServerURL":"r.example","Username":"me","Secret":"hunter2"}']);
    expect(JSON.parse(text()).auths).toEqual({ "r.example": {} });
    const token = { kind: "identity" as const, token: "t" };
    await storeCredential(place(), serverName(""), token, "me");
    expect(asked()[1]).toBe(
      'store|1|{"ServerURL":"https://index.docker.io/v1/","Username":"<token>","Secret":"t"}',
    );
  });

  test("erase: its name, and those it had in older files", async () => {
    helper('[ "$1" = list ] && echo \'{"https://r.example/v1/":"me","r.example":"me","other":"x"}\'; true');
    put(JSON.stringify({ auths: { "r.example": {}, other: {} }, credHelpers: { "r.example": "fake" } }));
    await eraseCredential(place(), serverName("r.example"));
    expect(asked()).toEqual(["erase|1|r.example", "list|1|", "erase|1|https://r.example/v1/"]);
    expect(JSON.parse(text()).auths).toEqual({ other: {} });
  });

  test("one that cannot list still erases", async () => {
    helper('[ "$1" = erase ]');
    put(JSON.stringify({ auths: { "r.example": {} }, credsStore: "fake" }));
    await eraseCredential(place(), serverName("r.example"));
    expect(JSON.parse(text()).auths).toEqual({});
  });

  const failing: [string, string, RegExp][] = [
    [
      "fails",
      "echo 'the keychain is locked'; exit 1",
      /docker-credential-fake failed: the keychain is locked$/,
    ],
    ["fails without a word", "exit 3", /failed: status 3$/],
    ["prints the secret", 'echo "cannot store $input"; exit 1', /has a secret in it, and is not shown$/],
    ["prints 10 MB", "yes | head -c 10000000; exit 1", /writes more than 1048576 bytes$/],
    ["colours its words", "printf '\\033[31mred\\nline'; exit 1", /failed: \\u001b\[31mred\\nline$/],
  ];
  for (const [what, script, message] of failing) {
    test(`one that ${what}: one line, and nothing is stored`, async () => {
      helper(script);
      const before = JSON.stringify({ auths: { "r.example": { auth: "eDp5" } }, credsStore: "fake" });
      put(before);
      expect((await refused(login("r.example"))).message).toMatch(message);
      expect(text()).toBe(before);
      expect(readdirSync(join(dir, "docker"))).toEqual(["config.json"]);
    });
  }

  test("one that hangs, with a child that holds its pipes; one that is not there", async () => {
    helper(`sleep 600 & echo $! > '${dir}/pid'; wait`);
    put('{"credsStore":"fake"}');
    const quick = place({ helperMs: 500 });
    expect((await refused(login("r.example", "me", "hunter2", quick))).message).toMatch(
      /does not answer within 0\.5 s$/,
    );
    process.kill(Number(readFileSync(join(dir, "pid"), "utf8")));
    put('{"credsStore":"nosuch"}');
    expect((await refused(login("r.example"))).message).toMatch(/docker-credential-nosuch is not in PATH$/);
    expect(text()).toBe('{"credsStore":"nosuch"}');
  });
});

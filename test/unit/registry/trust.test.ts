import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { rootCertificates } from "node:tls";
import { RtError } from "../../../src/base/errors.ts";
import { TrustStore } from "../../../src/registry/trust.ts";
import { namedTls, testAuthority, testTls } from "../../support/test-tls.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "rt-trust-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(name: string, content: string): string {
  const file = join(dir, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const one = testTls.cert;
const two = testAuthority;
const three = namedTls.cert;
const damaged = one.replace(/\n[^\n]+\n/, "\nMIIBAAAA\n");
const registry = new URL("https://r.example/v2/");

function store(env: Record<string, string> = {}): TrustStore {
  return new TrustStore(env, {
    bundles: [join(dir, "first.pem"), join(dir, "second.pem")],
    directories: [join(dir, "certs")],
    perRegistry: [join(dir, "podman.d"), join(dir, "docker.d")],
  });
}

/** The certificates, or undefined for the runtime's own. */
function trusted(env: Record<string, string> = {}, url = registry): string[] | undefined {
  const pem = store(env).certificatesFor(url);
  return pem?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.map((text) => `${text}\n`);
}

function refusal(env: Record<string, string> = {}): RtError {
  try {
    trusted(env);
  } catch (error) {
    if (error instanceof RtError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("a host without certificates: the runtime's own", () => {
  expect(trusted()).toBeUndefined();
});

test("the host's first bundle that holds something, and its directories, each certificate once", () => {
  put("first.pem", "# nothing yet\n");
  put("second.pem", `a comment\n${one}${two}${one}`);
  put("certs/three.pem", three.replaceAll("\n", "\r\n"));
  put("certs/two.crt", two);
  put("certs/README", "not a certificate");
  symlinkSync("three.pem", join(dir, "certs/0a0b0c0d.0"));
  symlinkSync("nowhere", join(dir, "certs/dangling"));
  mkdirSync(join(dir, "certs/java"));
  expect(trusted()).toEqual([one, two, three]);
});

test("of the host's, one that cannot be parsed is passed over: the runtime would lose all behind it", () => {
  put("first.pem", `${damaged}${one}${damaged}${two}-----BEGIN CERTIFICATE-----\nMIIB`);
  expect(trusted()).toEqual([one, two]);
});

test("SSL_CERT_FILE and SSL_CERT_DIR stand in place of the host's", () => {
  put("first.pem", one);
  put("certs/one.pem", one);
  const file = put("mine.pem", two);
  expect(trusted({ SSL_CERT_FILE: file })).toEqual([two]);
  put("mine.d/x", three);
  const list = `${join(dir, "absent")}:${join(dir, "mine.d")}`;
  expect(trusted({ SSL_CERT_DIR: list })).toEqual([three]);
  expect(trusted({ SSL_CERT_FILE: file, SSL_CERT_DIR: list })).toEqual([two, three]);
  expect(trusted({ SSL_CERT_FILE: file, SSL_CERT_DIR: join(dir, "absent") })).toEqual([two]);
  expect(trusted({ SSL_CERT_FILE: "", SSL_CERT_DIR: "" })).toEqual([one]);
});

test("a key in the same file stays there", () => {
  put("first.pem", `${namedTls.key}${one}`);
  expect(store().certificatesFor(registry)).toBe(one.trimEnd());
});

const named: [string, () => string, RegExp][] = [
  ["absent", () => join(dir, "absent"), /^cannot read SSL_CERT_FILE .*absent: ENOENT/],
  ["a directory", () => dir, /^cannot read SSL_CERT_FILE .*: it is not a regular file$/],
  ["empty", () => put("x", ""), /^cannot use SSL_CERT_FILE .*x: it holds no certificate in PEM form$/],
  ["something else", () => put("x", namedTls.key), /holds no certificate in PEM form$/],
  ["damaged in the middle", () => put("x", one + damaged + two), /x: its certificate 2 is damaged$/],
  ["cut short", () => put("x", one + two.slice(0, 200)), /x: its certificate 2 is damaged$/],
];
for (const [what, make, line] of named) {
  test(`SSL_CERT_FILE that is ${what}: one line with its name`, () => {
    put("first.pem", one);
    const file = make();
    const { message } = refusal({ SSL_CERT_FILE: file });
    expect(message).toMatch(line);
    expect(message).not.toContain("\n");
  });
}

test("SSL_CERT_DIR without any certificate trusts nobody else instead", () => {
  put("first.pem", one);
  put("mine.d/README", "nothing");
  expect(refusal({ SSL_CERT_DIR: join(dir, "mine.d") }).message).toMatch(/holds no certificate in PEM form$/);
});

test("a registry's own, by docker's and podman's names, in addition", () => {
  put("first.pem", one);
  put("docker.d/r.example:5000/ca.crt", two);
  put("podman.d/r.example:5000/ca.crt", three);
  put("podman.d/r.example:5000/ca.pem", damaged);
  put("docker.d/r.example:443/ca.crt", two);
  expect(trusted({}, new URL("https://r.example:5000/"))).toEqual([one, three, two]);
  expect(trusted({}, registry)).toEqual([one, two]);
  expect(trusted({}, new URL("https://r.example:5001/"))).toEqual([one]);
  expect(trusted({}, new URL("https://other.example:5000/"))).toEqual([one]);
});

test("a registry's own beside the runtime's, on a host without certificates", () => {
  put("docker.d/r.example/ca.crt", two);
  expect(trusted()).toEqual(
    [...rootCertificates, two].map((pem) => expect.stringContaining(pem.trim().slice(28, 200))),
  );
});

test("a registry's own that is damaged, or that we may not read, is named", () => {
  const file = put("docker.d/r.example/ca.crt", damaged);
  expect(refusal().message).toStartWith(`cannot use certificate file ${file}`);
  if (process.getuid?.() === 0) return;
  chmodSync(file, 0);
  expect(refusal().message).toContain("EACCES");
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chosenEngine } from "../../../src/cli/elsewhere.ts";
import { engineAddressText } from "../../../src/remote/address.ts";
import { EngineContexts } from "../../../src/remote/contexts.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rt-elsewhere-"));
  const contexts = new EngineContexts(directory);
  contexts.create({ name: "box", description: "", host: "ssh://box", skipTlsVerify: false }, {});
  const lab = { name: "lab", description: "", host: "tcp://lab", skipTlsVerify: false };
  contexts.create(lab, { "ca.pem": "CA", "cert.pem": "CERT", "key.pem": "KEY" });
  contexts.use("lab");
});
afterEach(() => rmSync(directory, { recursive: true }));

const chosen = (place: object, env: Record<string, string> = {}, asDocker = false) => {
  const engine = chosenEngine({ ...place, asDocker }, { DOCKER_CONFIG: directory, ...env });
  return engine && engineAddressText(engine.address);
};

test("the first that says something is meant", () => {
  expect(chosen({})).toBeUndefined();
  // What is set to nothing is not set.
  expect(
    chosen({}, { RT_HOST: "", RT_CONTEXT: "", DOCKER_HOST: "", DOCKER_CONTEXT: "default" }, true),
  ).toBeUndefined();
  expect(chosen({ host: "unix:///a" }, { RT_HOST: "unix:///b", RT_CONTEXT: "box" })).toBe("unix:///a");
  expect(chosen({ context: "box" }, { RT_HOST: "unix:///b" })).toBe("ssh://box");
  expect(chosen({ context: "default" }, { RT_HOST: "unix:///b" })).toBeUndefined();
  expect(chosen({}, { RT_HOST: "unix:///b", RT_CONTEXT: "box" })).toBe("unix:///b");
  expect(chosen({}, { RT_CONTEXT: "box" })).toBe("ssh://box");
});

test("Docker's own variables and current context count for what is called docker, and for nothing else", () => {
  const env = { DOCKER_HOST: "unix:///d", DOCKER_CONTEXT: "box" };
  expect(chosen({}, env)).toBeUndefined();
  expect(chosen({}, env, true)).toBe("unix:///d");
  expect(chosen({}, { DOCKER_CONTEXT: "box" }, true)).toBe("ssh://box");
  expect(chosen({}, {}, true)).toBe("tcp://lab:2376");
  expect(chosen({}, { RT_HOST: "unix:///r", DOCKER_HOST: "unix:///d" }, true)).toBe("unix:///r");
});

test("what they name must be there", () => {
  expect(() => chosen({ context: "nosuch" })).toThrow(/does not exist/);
  expect(() => chosen({ context: "box", host: "unix:///a" })).toThrow(/conflicting options/);
  expect(() => chosen({ host: "gopher://x" })).toThrow(/invalid address/);
});

test("TLS is of the context, of flags, or of the variables' directory", () => {
  const env = { DOCKER_CONFIG: directory };
  expect(chosenEngine({ context: "lab", asDocker: false }, env)?.tls).toEqual({
    isVerified: true,
    ca: "CA",
    cert: "CERT",
    key: "KEY",
  });
  expect(chosenEngine({ host: "tcp://lab", asDocker: false }, env)?.tls).toBeUndefined();
  writeFileSync(join(directory, "ca.pem"), "OWN");
  const verified = { RT_TLS_VERIFY: "1", RT_CERT_PATH: directory };
  expect(chosenEngine({ host: "tcp://lab", asDocker: false }, verified)?.tls).toEqual({
    isVerified: true,
    ca: "OWN",
  });
  expect(chosenEngine({ host: "tcp://lab", tls: true, asDocker: false }, env)?.tls).toEqual({
    isVerified: false,
  });
  const missing = {
    host: "tcp://lab",
    tlsVerify: true,
    tlsCert: join(directory, "none.pem"),
    asDocker: false,
  };
  expect(() => chosenEngine(missing, env)).toThrow(/cannot read/);
});

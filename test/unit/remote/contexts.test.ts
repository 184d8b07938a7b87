import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineContexts } from "../../../src/remote/contexts.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rt-contexts-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const box = { name: "box", description: "the box", host: "ssh://box", skipTlsVerify: false };

test("what is created is found as Docker's command line writes it, and gone when removed", () => {
  const contexts = new EngineContexts(directory);
  contexts.create(box, { "ca.pem": "PEM" });
  // The name's sha256, as docker/cli has it.
  const meta = join(
    directory,
    "contexts",
    "meta",
    "26f8567f2569182294c3fa5b9f9cb2270b554eef628b4c149cf82a42888ff4ae",
    "meta.json",
  );
  expect(JSON.parse(readFileSync(meta, "utf8"))).toEqual({
    Name: "box",
    Metadata: { Description: "the box" },
    Endpoints: { docker: { Host: "ssh://box", SkipTLSVerify: false } },
  });
  const [found] = contexts.list();
  expect(found).toMatchObject(box);
  expect(readFileSync(join(found!.tlsDirectory, "ca.pem"), "utf8")).toBe("PEM");
  expect(() => contexts.create(box, {})).toThrow(/already exists/);
  contexts.remove("box", { force: false });
  expect(contexts.list()).toEqual([]);
  expect(() => contexts.get("box")).toThrow(/does not exist/);
});

test("the current one is Docker's configuration's, and what else that says stays", () => {
  writeFileSync(join(directory, "config.json"), '{"auths":{"r":{"auth":"eDp5"}}}');
  const contexts = new EngineContexts(directory);
  contexts.create(box, {});
  expect(contexts.current()).toBeUndefined();
  contexts.use("box");
  expect(contexts.current()).toBe("box");
  expect(() => contexts.remove("box", { force: false })).toThrow(/in use/);
  contexts.remove("box", { force: true });
  expect(JSON.parse(readFileSync(join(directory, "config.json"), "utf8"))).toEqual({
    auths: { r: { auth: "eDp5" } },
  });
});

test("a name that leads elsewhere, a damaged context and another's name in its place are none", () => {
  const contexts = new EngineContexts(directory);
  for (const name of ["../x", "a", "-x", "a b", ""])
    expect(() => contexts.get(name)).toThrow(/invalid context name/);
  contexts.create(box, {});
  const meta = join(directory, "contexts", "meta");
  for (const [id, document] of [
    ["0".repeat(64), '{"Name":"box","Endpoints":{"docker":{"Host":"ssh://evil"}}}'],
    ["1".repeat(64), '{"Name":7}'],
  ] as const) {
    mkdirSync(join(meta, id));
    writeFileSync(join(meta, id, "meta.json"), document);
  }
  expect(contexts.list().map(({ host }) => host)).toEqual(["ssh://box"]);
});

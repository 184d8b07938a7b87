/** The harness finds what a test leaves behind, and a layer's oracle knows its whiteouts. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { plantCanary } from "../../support/canary.ts";
import { testHost } from "../../support/host.ts";
import { LayoutWriter } from "../../support/layout.ts";
import { needs } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { archive, paxRecords } from "../../support/tar.ts";
import { describeTree, treeDifference, unpackWithTar } from "../../support/tree.ts";

async function scratch() {
  const dir = await mkdtemp(join(scratchDirectory(), "rt-support-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

test("a process that outlives its host is named and killed, the directory removed", async () => {
  const host = await testHost();
  const child = Bun.spawn(["sleep", "1000"], { env: host.env });
  const error = await host[Symbol.asyncDispose]().then(() => undefined, String);
  expect(error).toContain(`process ${child.pid}: sleep 1000`);
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  expect(existsSync(host.dir)).toBe(false);
});

const asRoot = needs({ root: true });
asRoot.test("a mount that outlives its host is named and taken away", async () => {
  const host = await testHost();
  mkdirSync(join(host.dir, "mounted"));
  // The mount shows in everybody's mountinfo: that alone makes nobody a process of this host.
  const bystander = Bun.spawn(["sleep", "1000"]);
  expect(await Bun.spawn(["mount", "-t", "tmpfs", "left", join(host.dir, "mounted")]).exited).toBe(0);
  const error = await host[Symbol.asyncDispose]().then(() => undefined, String);
  expect(error).toContain(`mount ${host.dir}/mounted`);
  expect(error).not.toContain("process ");
  expect(bystander.exitCode).toBe(null);
  bystander.kill();
  expect(await bystander.exited).toBe(143);
  expect(await Bun.file("/proc/self/mountinfo").text()).not.toContain(host.dir);
});

const withAttributes = needs({ tools: ["getfattr"] });
withAttributes.test("a canary sings when it is touched", async () => {
  await using place = await scratch();
  const canary = await plantCanary(place.dir);
  await canary.check();
  writeFileSync(join(canary.dir, "sub/deep/new"), "");
  expect(await canary.check().then(() => "silent", String)).toContain("+ /sub/deep/new file");
});

const oracle = needs({ root: true, tools: ["getfattr", "tar"] });
oracle.test("the oracle applies whiteouts, opaque marks and replacements", async () => {
  await using place = await scratch();
  const layout = new LayoutWriter(join(place.dir, "layout"));
  const directory = (name: string) => ({ name, type: "5", mode: 0o755 });
  const long = `d/${"l".repeat(150)}`;
  const lower = archive(
    directory("d/"),
    { name: "d/gone", content: "x" },
    { name: "d/kept", content: "y" },
    directory("o/"),
    { name: "o/old", content: "z" },
    directory("was/"),
    { name: "was/file" },
    paxRecords({ path: long, mtime: "1.5" }),
    { name: "short", content: "long" },
  );
  const upper = archive(
    { name: "d/.wh.gone" },
    directory("o/"),
    { name: "o/new" },
    { name: "o/.wh..wh..opq" },
    { name: "was", type: "2", link: "d", mode: 0o777 },
  );
  await layout.image("it", { layers: [lower, upper] });
  await layout.close();
  await unpackWithTar(join(place.dir, "layout"), "it", join(place.dir, "tree"));
  const tree = await describeTree(join(place.dir, "tree"));
  expect([...tree.keys()]).toEqual(["/", "/d", "/d/kept", `/${long}`, "/o", "/o/new", "/was"]);
  expect(tree.get("/was")).toContain("-> d");
  expect(tree.get(`/${long}`)).toContain("mtime=1500000000 ");
});

withAttributes.test("a difference of trees names entry and both sides", async () => {
  await using place = await scratch();
  for (const side of ["a", "b"]) mkdirSync(join(place.dir, side));
  symlinkSync("x", join(place.dir, "a/link"));
  writeFileSync(join(place.dir, "b/file"), "");
  const difference = treeDifference(
    await describeTree(join(place.dir, "a")),
    await describeTree(join(place.dir, "b")),
  );
  expect(difference.filter((line) => !line.startsWith("! /:")).map((line) => line.slice(0, 12))).toEqual([
    "- /link link",
    "+ /file file",
  ]);
});

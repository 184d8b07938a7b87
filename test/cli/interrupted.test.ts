/** Control-C in the middle of what moves images: one line, 130, at once, and nothing half-made. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, constants, existsSync, openSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../support/command.ts";
import { FakeRegistry } from "../support/fake-registry.ts";
import { type TestHost, testHost } from "../support/host.ts";
import { LayoutWriter } from "../support/layout.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive } from "../support/tar.ts";
import { until } from "../support/wait.ts";
import { fileLayer, imageOf } from "./image-world.ts";

let host: TestHost;
let layout: string;

/** More than a pipe holds, however it is compressed. */
const noise = new Uint8Array(1 << 20);
for (let at = 0; at < noise.length; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));

beforeAll(async () => {
  host = await testHost();
  layout = await mkdtemp(join(scratchDirectory(), "rt-interrupted-"));
  const writer = new LayoutWriter(layout);
  await writer.image("large", {
    layers: [archive({ name: "large", content: noise })],
    architecture: "amd64",
  });
  await writer.close();
  await host.ok(["pull", "-q", `oci:${layout}:large`]);
  const [id] = (await host.ok(["images", "-q"])).split("\n");
  await host.ok(["tag", id!, "localhost/large:1"]);
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  if (layout) await rm(layout, { recursive: true, force: true });
});

/** What has nothing to undo may be ended without a word. */
const interrupted = /^(rt: .*interrupted.*\n)?$/;

/** What is silent, and the command that waits for it. */
const waits: [string, RegExp, (registry: FakeRegistry) => string[]][] = [
  [
    "image cp, for its source",
    /^GET .*manifests/,
    (r) => ["image", "cp", `${r.host}/a/b:1`, `oci:${layout}/out`],
  ],
  [
    "image cp, for a blob of its source",
    /^GET .*blobs/,
    (r) => ["image", "cp", `${r.host}/a/b:1`, `oci:${layout}/out`],
  ],
  [
    "image cp, for where it goes",
    /^HEAD .*blobs/,
    (r) => ["image", "cp", `oci:${layout}:large`, `${r.host}/x/y`],
  ],
  [
    "image cp, for the tag",
    /^PUT .*manifests/,
    (r) => ["image", "cp", `oci:${layout}:large`, `${r.host}/x/y`],
  ],
  ["push, for the tag", /^PUT .*manifests/, (r) => ["push", "localhost/large:1", `${r.host}/x/y`]],
  ["import, for an address", /^GET .*tar/, (r) => ["import", `${r.url}/x.tar`]],
  ["search", /^GET .*_catalog/, (r) => ["search", `${r.host}/x`]],
  ["manifest inspect", /^GET .*manifests/, (r) => ["manifest", "inspect", `${r.host}/a/b:1`]],
  ["login", /^GET \/v2\//, (r) => ["login", "-u", "a", "--password-stdin", r.host]],
];

for (const [what, request, argv] of waits) {
  test(what, async () => {
    await using registry = await FakeRegistry.start();
    registry.push("a/b", "1", imageOf([fileLayer("a", 1000)]));
    registry.always(request, () => {});
    await using command = host.spawn(argv(registry), { stdin: "password" });
    command.closeStdin();
    await until("it waits", () => registry.seen(request).length > 0);
    command.kill("SIGINT");
    expect([await command.exited, command.stderr.text]).toEqual([130, expect.stringMatching(interrupted)]);
  });
}

for (const argv of [["load"], ["import", "-"]]) {
  test(`${argv[0]}, for input`, async () => {
    await using command = host.spawn(argv);
    command.write(
      new Uint8Array(archive({ name: "a", content: new Uint8Array(2 << 20) })).subarray(0, 1 << 20),
    );
    await until("it waits", () => isWaiting(command.pid));
    command.kill("SIGINT");
    expect([await command.exited, command.stderr.text]).toEqual([130, expect.stringMatching(interrupted)]);
  });
}

test("save, for a reader", async () => {
  const fifo = join(host.dir, "unread");
  await run(["mkfifo", fifo]);
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  const command = Bun.spawn([process.env.RT_BINARY || "dist/rt", "save", "localhost/large:1"], {
    env: host.env,
    stdout: writer,
    stderr: "pipe",
  });
  closeSync(writer);
  try {
    await until("it waits", () => isWaiting(command.pid));
    command.kill("SIGINT");
    expect([await command.exited, await command.stderr.text()]).toEqual([
      130,
      expect.stringMatching(interrupted),
    ]);
  } finally {
    command.kill("SIGKILL");
    closeSync(reader);
  }
});

/** It catches signals (proc_pid_status(5), SigCgt), and reads and writes nothing any more. */
async function isWaiting(pid: number): Promise<boolean> {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(await Bun.file(`/proc/${pid}/status`).text())?.[1] ?? "0";
  if ((BigInt(`0x${caught}`) & 2n) === 0n) return false;
  const bytes = () => Bun.file(`/proc/${pid}/io`).text();
  const before = await bytes();
  await Bun.sleep(50);
  return before === (await bytes());
}

test("nothing of all that is left", async () => {
  expect(existsSync(`${layout}/out/index.json`)).toBe(false);
  expect(readdirSync(join(host.root, "content/ingest"))).toEqual([]);
});

/** A store whose file system is full: what has ended is told, what is there can be seen, and rt itself makes room again. */
import { expect } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { run as tool } from "../support/command.ts";
import { busyboxLayout } from "../support/images.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, host } = containerTests();

interface Small extends AsyncDisposable {
  root: string;
  rt: (...args: string[]) => Promise<{ stdout: string; stderr: string; code: number }>;
  ok: (...args: string[]) => Promise<string>;
  /** Takes every block that is left. */
  fill: () => Promise<string>;
}

/** A store of its own with an image in it, on a file system of 12 MB. */
async function smallStore(): Promise<Small> {
  const root = join(host().dir, "small");
  mkdirSync(root, { recursive: true });
  await tool(["mount", "-t", "tmpfs", "-o", "size=12m", "small", root]);
  const rt: Small["rt"] = (...args) => host().rt(["--root", root, ...args]);
  const ok: Small["ok"] = (...args) => host().ok(["--root", root, ...args]);
  await ok("pull", "-q", `oci:${await busyboxLayout()}`);
  return {
    root,
    rt,
    ok,
    // dd reads no more when the last page is taken, and fails: that is what it is for.
    fill: () => tool(["sh", "-c", `dd if=/dev/zero of='${root}/filler' bs=4k 2>/dev/null; true`]),
    async [Symbol.asyncDispose]() {
      await tool(["rm", "-f", join(root, "filler")]);
      const ids = (await rt("ps", "-aq")).stdout.split("\n").filter(Boolean);
      if (ids.length > 0) await rt("rm", "-f", ...ids);
      await tool(["umount", root]);
    },
  };
}

const full = [
  "run",
  "--name",
  "full",
  image,
  "sh",
  "-c",
  "dd if=/dev/zero of=/fill bs=64k 2>/dev/null; exit 3",
];

test("a container that fills it: its status is told, and seen, and rm makes room", async () => {
  await using store = await smallStore();
  await store.ok("run", "--name", "ok", image, "true");
  const { stderr, code } = await store.rt(...full);
  expect(oneLine(stderr)).toMatch(/^how container full ended is not in the database yet: .*no space left/);
  expect(code).toBe(3);
  const listed = await store.rt("ps", "-a", "--format", "{{.Names}} {{.Status}}");
  expect(listed.stdout).toMatch(/^full Exited \(3\) .*\nok Exited \(0\) .*\n$/);
  expect(listed.code).toBe(0);
  expect(await store.ok("inspect", "-f", "{{.State.ExitCode}}", "full")).toBe("3\n");
  expect(await store.ok("images", "-q")).toMatch(/^\w{12}\n$/);
  expect(await store.ok("rm", "ok")).toBe("ok\n");
  expect(await store.ok("rm", "-f", "full")).toBe("full\n");
  expect(await store.ok("run", "--rm", image, "echo", "on")).toBe("on\n");
});

test("an exit that found no room is written down when there is some", async () => {
  await using store = await smallStore();
  expect((await store.rt(...full)).code).toBe(3);
  await tool(["sh", "-c", `find '${store.root}' -name fill -exec truncate -s 0 {} +`]);
  const listed = await store.rt("ps", "-a", "--format", "{{.Status}}");
  expect(listed.stdout).toStartWith("Exited (3) ");
  expect(listed.stderr).toBe("");
  expect(readdirSync(join(host().state, "containers"))).toEqual([]);
});

test("a --rm container that fills it: its status is told, and nothing of it is left", async () => {
  await using store = await smallStore();
  const result = await store.rt(
    "run",
    "--rm",
    image,
    "sh",
    "-c",
    "dd if=/dev/zero of=/fill 2>/dev/null; exit 4",
  );
  expect(result).toMatchObject({ stderr: "", code: 4 });
  expect(await store.ok("ps", "-aq")).toBe("");
});

test("a --rm container that ends when something else has filled it: its status is told, and its row goes later", async () => {
  await using store = await smallStore();
  const client = host().spawn([
    "--root",
    store.root,
    "run",
    "-i",
    "--rm",
    image,
    "sh",
    "-c",
    "echo up; read x; exit 4",
  ]);
  await using _ = client;
  await client.stdout.waitFor("up");
  await store.fill();
  client.write("\n");
  expect(await client.exited).toBe(4);
  expect(oneLine(client.stderr.text)).toMatch(/^container \w{12} is not removed yet: .*no space left/);
  expect((await store.rt("ps", "-q")).code).toBe(0);
  await tool(["rm", join(store.root, "filler")]);
  const listed = await store.rt("ps", "-aq");
  expect([listed.stdout, listed.stderr]).toEqual(["", ""]);
});

test("something else fills it: rm and rmi make room all the same, time and again", async () => {
  await using store = await smallStore();
  for (let round = 0; round < 2; round++) {
    await store.ok("run", "--name", "ok", image, "true");
    await store.fill();
    expect(await store.ok("rm", "ok")).toBe("ok\n");
    await store.fill();
    expect(await store.ok("rmi", image)).toContain("Deleted: sha256:");
    await tool(["rm", join(store.root, "filler")]);
    await store.ok("pull", "-q", `oci:${await busyboxLayout()}`);
  }
});

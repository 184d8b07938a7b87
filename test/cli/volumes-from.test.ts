/** `--volumes-from`: what another container has mounted. */
import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostileImage } from "../root/attacks/hostile.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

const sh = (flags: readonly string[], script: string, from = image) =>
  host().ok(["run", "--rm", ...flags, from, "sh", "-c", script]);

test("volumes and directories of one that runs, of one that is over, and of both", async () => {
  const dir = join(host().dir, "shared");
  mkdirSync(dir);
  writeFileSync(join(dir, "file"), "of the host\n");
  await using first = await running(
    host(),
    ["sleep", "1000"],
    ["-v", "named:/n", "-v", "/anon", "-v", `${dir}:/d:ro`],
  );
  await host().ok(["exec", first.name, "sh", "-c", "echo one > /n/file; echo two > /anon/file"]);
  await host().ok(["run", "--name", "over", "-v", "named:/again", "--tmpfs", "/t", image, "true"]);
  const both = ["--volumes-from", first.name, "--volumes-from", "over"];
  expect(
    await sh(
      both,
      "cat /n/file /anon/file /d/file /again/file; touch /d/x 2>/dev/null || echo ro; ls -d /t",
    ).catch((error: Error) => error.message),
  ).toContain("ls: /t: No such file");
  expect(
    await sh(both, "cat /n/file /anon/file /d/file /again/file; touch /d/x 2>/dev/null || echo ro"),
  ).toBe("one\ntwo\nof the host\none\nro\n");
  // By the start of its id too, and read-only.
  const readonly = ["--volumes-from", `${first.id.slice(0, 12)}:ro`];
  expect(await sh(readonly, "cat /n/file; touch /n/x 2>/dev/null || echo ro")).toBe("one\nro\n");
  // What is asked for here wins, over what an image asks for the other does.
  const odd = await hostileImage(host(), "own-anon", { config: { Volumes: { "/anon": {}, "/own": {} } } });
  expect(await sh([...both, "--tmpfs", "/n"], "ls /n; cat /anon/file; ls -d /own", odd)).toBe("two\n/own\n");
  await host().ok(["rm", "over"]);
});

test("inspect shows it, and --rm of the one that borrows takes nothing from the other", async () => {
  const before = await host().ok(["volume", "ls", "-q"]);
  await host().ok(["run", "--name", "owner", "-v", "/anon", image, "sh", "-c", "echo here > /anon/file"]);
  await host().ok(["run", "--name", "borrower", "--volumes-from", "owner:ro", image, "true"]);
  const [about] = JSON.parse(await host().ok(["inspect", "borrower"]));
  expect(about.HostConfig.VolumesFrom).toEqual(["owner:ro"]);
  expect(about.Mounts).toMatchObject([{ Type: "volume", Destination: "/anon", RW: false }]);
  await host().ok(["rm", "-v", "borrower"]);
  expect(await sh(["--volumes-from", "owner"], "cat /anon/file")).toBe("here\n");
  expect(await sh(["--volumes-from", "owner"], "cat /anon/file")).toBe("here\n");
  // One that borrows keeps it in use when its owner goes.
  await host().ok(["run", "--name", "borrower", "--volumes-from", "owner", image, "true"]);
  await host().ok(["rm", "-v", "owner"]);
  expect(await sh(["--volumes-from", "borrower"], "cat /anon/file")).toBe("here\n");
  await host().ok(["rm", "-v", "borrower"]);
  expect(await host().ok(["volume", "ls", "-q"])).toBe(before);
});

test("what is refused: one line, and nothing is made", async () => {
  for (const [value, said] of [
    ["nosuch", "No such container: nosuch"],
    ["", 'invalid --volumes-from "": want CONTAINER[:ro|rw]'],
    ["x:nocopy", 'invalid --volumes-from "x:nocopy": bad mode "nocopy"'],
    ["x:rshared", 'invalid --volumes-from "x:rshared": bad mode "rshared"'],
    ["x:ro:rw", 'invalid --volumes-from "x:ro:rw": bad mode "ro:rw"'],
  ] as const) {
    const { code, stderr } = await host().rt(["run", "--volumes-from", value, image, "true"]);
    expect([value, code, oneLine(stderr)]).toEqual([value, 125, said]);
  }
});

/**
 * What a container does to a start that looks into its volume (CVE-2017-1002101's kind: a subpath that is swapped for a link), or
 * that gives it away (`U`); and what an image does that is mounted.
 */
import { expect } from "bun:test";
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "../../cli/world.ts";
import { plantCanary } from "../../support/canary.ts";
import { rounds, soakTimeoutMs } from "../../support/soak.ts";
import { file, hostileImage, symlink } from "./hostile.ts";

const { test, host } = containerTests();

const dataOf = (name: string) => join(host().root, "volumes", name, "_data");

/** A volume in which a container swaps the directory `dir` and the link `link`, which leads to `target`, all the while. */
async function swapped(volume: string, target: string): Promise<AsyncDisposable> {
  await host().ok(["volume", "create", volume]);
  const dir = join(dataOf(volume), "dir");
  mkdirSync(join(dir, "sub"), { recursive: true });
  writeFileSync(join(dir, "sub/file"), "inside\n");
  symlinkSync(target, join(dataOf(volume), "link"));
  return running(host(), ["probe", "racer", "dir", "link"], ["-w", "/data", "-v", `${volume}:/data`]);
}

test(
  "a subpath that is swapped for a link out is the volume's, or an error",
  async () => {
    const canary = await plantCanary(host().dir, "canary-subpath");
    for (const [index, target] of [canary.dir, `../../../../canary-subpath`].entries()) {
      const volume = `swapped-${index}`;
      await using _ = await swapped(volume, target);
      const seen = new Set<string>();
      for (const _ of rounds(15)) {
        const mount = `src=${volume},dst=/y,volume-subpath=dir/sub`;
        const script = "cat /y/file; touch /y/touched";
        const { code, stdout, stderr } = await host().rt([
          "run",
          "--rm",
          "--mount",
          mount,
          image,
          "sh",
          "-c",
          script,
        ]);
        if (code === 0) expect(stdout).toBe("inside\n");
        else
          expect([code, oneLine(stderr)]).toEqual([
            125,
            expect.stringMatching(/subpath dir\/sub (leads out )?of/),
          ]);
        seen.add(code === 0 ? "inside" : "refused");
      }
      expect(seen).toContain("inside");
      await canary.check();
    }
    for (const index of [0, 1]) await host().ok(["volume", "rm", `swapped-${index}`]);
  },
  soakTimeoutMs(120_000),
);

test(
  "U gives nothing away that a link leads to, whenever that is put there",
  async () => {
    const canary = await plantCanary(host().dir, "canary-given");
    for (const [index, target] of [canary.dir, "../../../../canary-given"].entries()) {
      const volume = `given-${index}`;
      {
        await using _ = await swapped(volume, target);
        for (let each = 0; each < 300; each++) writeFileSync(join(dataOf(volume), `f${each}`), "");
        for (const round of rounds(10)) {
          await host().ok(["run", "--rm", "-u", `${1000 + round}`, "-v", `${volume}:/y:U`, image, "true"]);
          await canary.check();
        }
      }
      await host().ok(["volume", "rm", volume]);
    }
  },
  soakTimeoutMs(120_000),
);

test("an image that is mounted: no devices, no way out, and nothing of the kernel's is covered", async () => {
  const canary = await plantCanary(host().dir, "canary-image");
  const hostile = await hostileImage(host(), "hostile-mounted", {
    members: [
      { name: "zero", type: "3", device: { major: 1, minor: 5 }, mode: 0o666 },
      symlink("out", canary.dir),
      symlink("up", "../../../../../../../.."),
      symlink("loop", "loop"),
      file("file", "of the image\n"),
    ],
  });
  const mount = (more: string) => [
    "run",
    "--rm",
    "--mount",
    `type=image,source=${hostile},target=${more}`,
    image,
  ];
  for (const more of ["/i", "/i,rw=true"]) {
    const { stdout } = await host().rt([
      ...mount(more),
      "sh",
      "-c",
      "head -c 1 /i/zero 2>&1; grep ' /i ' /proc/mounts",
    ]);
    expect(stdout).toMatch(/zero: Permission denied\n[^\n]* \/i [^\n]*nodev/);
    // A bind of the node alone is no way either.
    const node = await host().rt([...mount(`${more},image-subpath=zero`), "sh", "-c", "head -c 1 /i 2>&1"]);
    expect(node.stdout).toContain("Permission denied");
  }
  expect(await host().ok([...mount("/i,image-subpath=up"), "cat", "/i/file"])).toBe("of the image\n");
  for (const [more, why] of [
    ["/i,image-subpath=out", "open subpath out of"],
    ["/i,image-subpath=loop", "open subpath loop of"],
    ["/proc", "/proc cannot be covered"],
    ["/sys", "/sys cannot be covered"],
  ] as const) {
    const { code, stderr } = await host().rt([...mount(more), "true"]);
    expect([more, code, oneLine(stderr)]).toEqual([more, 125, expect.stringContaining(why)]);
  }
  await canary.check();
});

test("an overlay over a directory changes nothing of it, and an owner that is mapped gives no more rights", async () => {
  const canary = await plantCanary(host().dir, "canary-overlay");
  const script =
    "echo x > /o/file; rm -rf /o/sub; chown 5 /o/link /o/secret; chmod 777 /o /o/secret; touch /o/new";
  await host().ok(["run", "--rm", "-v", `${canary.dir}:/o:O`, image, "sh", "-c", script]);
  await host().ok(["run", "--rm", "-u", "9", "-v", `${canary.dir}:/o:O,U`, image, "touch", "/o/secret"]);
  await canary.check();
  const mapped = join(host().dir, "mapped");
  mkdirSync(mapped);
  writeFileSync(join(mapped, "secret"), "", { mode: 0o600 });
  chownSync(join(mapped, "secret"), 1234, 1234);
  // Nobody of the container is the file's owner, and root of the container is not root of what is not mapped.
  const flags = ["--cap-drop", "all", "-v", `${mapped}:/m:idmap=uids=0-0-1;gids=0-0-1`];
  const { code } = await host().rt(["run", "--rm", ...flags, image, "cat", "/m/secret"]);
  expect(code).toBe(1);
});

test("an image's files stay the image's, whatever the one that mounts it makes of the mount", async () => {
  const script = "mount -o remount,rw,bind /i; echo x > /i/poison; rm /i/etc/passwd; true";
  const flags = ["--cap-add", "SYS_ADMIN", "--mount", `type=image,src=${image},dst=/i`];
  await host().rt(["run", "--rm", ...flags, image, "sh", "-c", script]);
  await host().ok(["run", "--rm", image, "sh", "-c", "test -e /etc/passwd && ! test -e /poison"]);
  expect(await host().ok(["run", "--rm", ...flags.slice(2), image, "ls", "/i/etc/passwd"])).toContain(
    "passwd",
  );
  expect((await host().rt(["run", "--rm", ...flags.slice(2), image, "touch", "/i/new"])).code).toBe(1);
});

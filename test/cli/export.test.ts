/** `rt export`: a container's root as an archive that tar reads, without what is mounted in it. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { way } from "../support/way.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

async function listed(archive: Uint8Array | string, flags = "t"): Promise<string[]> {
  const file = typeof archive === "string" ? archive : join(host().dir, "archive.tar");
  if (typeof archive !== "string") writeFileSync(file, archive);
  const tar = Bun.spawn(["tar", `${flags}f`, file, "--numeric-owner"], { stderr: "pipe" });
  const [text, problems] = [await tar.stdout.text(), await tar.stderr.text()];
  expect(problems).toBe("");
  return text.split("\n").filter(Boolean);
}

const long = "d".repeat(90);
/** As large as a number may be that is there in every way (test/ways). */
const owner = way === "root" ? "3000000:5" : "60000:5";
const script = `
  echo hello > /file; ln /file /second; ln -s /file /link; mkfifo /pipe; mkdir -p /${long}/${long}/${long}
  echo deep > /${long}/${long}/${long}/${"f".repeat(120)}; chown ${owner} /file || exit 9; chmod 4751 /file
  ln -s /${long}/${long}/${long} /far; rm /bin/vi; echo inside > /mnt/shared/f; touch -d @-100 /old
`;

for (const driver of ["overlay", "copy"])
  test(`${driver}: files of every kind, names of every length, nothing of volumes; the same while it runs`, async () => {
    mkdirSync(join(host().dir, "shared"), { recursive: true });
    const env = { RT_STORAGE_DRIVER: driver };
    await host().ok(["pull", "-q", `oci:${await (await import("../support/images.ts")).busyboxLayout()}`], {
      env,
    });
    const flags = ["--name", "over", "-v", `${host().dir}/shared:/mnt/shared`];
    const program = ["sh", "-c", `${script} echo done; exec sleep 1000`];
    await using client = host().spawn(["run", ...flags, image, ...program], { env });
    await client.stdout.waitFor("done");
    const whileRunning = (await host().rt(["export", "over"], { env })).stdoutBytes;
    await host().ok(["kill", "over"], { env });
    await client.exited;
    const { stdoutBytes, stderr, code } = await host().rt(["export", "over"], { env });
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    const names = await listed(stdoutBytes);
    expect((await listed(whileRunning)).toSorted()).toEqual(names.toSorted());
    expect(names).toContain("mnt/shared/");
    expect(names).toContain(`${long}/${long}/${long}/${"f".repeat(120)}`);
    for (const absent of ["mnt/shared/f", "bin/vi", "", "/", "./", "dev/null", "proc/self"])
      expect(names).not.toContain(absent);
    const rows = await listed(stdoutBytes, "tv");
    const first = rows.find((row) => / (file|second)$/.test(row));
    expect(first).toMatch(new RegExp(`^-rwsr-x--x ${owner.replace(":", "/")} +6 `));
    expect(rows.some((row) => / (second|file) link to (file|second)$/.test(row))).toBe(true);
    expect(rows.find((row) => row.includes(" link ->"))).toMatch(/^l.* link -> \/file$/);
    expect(rows.find((row) => row.endsWith(" pipe"))).toMatch(/^prw-r--r-- 0\/0 /);
    expect(rows.find((row) => row.includes(" far ->"))).toEndWith(`/${long}/${long}/${long}`);
    expect(rows.find((row) => row.endsWith(" old"))).toContain("1969-12-31");
    // What tar makes of it is what the container had.
    const out = join(host().dir, `out-${driver}`);
    mkdirSync(out);
    expect(
      await Bun.spawn(["tar", "xpf", join(host().dir, "archive.tar"), "-C", out], { stderr: "ignore" })
        .exited,
    ).toBe(0);
    expect(readFileSync(join(out, "file"), "utf8")).toBe("hello\n");
    expect(readFileSync(join(out, long, long, long, "f".repeat(120)), "utf8")).toBe("deep\n");
    await host().ok(["rm", "over"], { env });
  });

test("-o: a file that appears when it is whole, and a failure leaves what was there", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  const file = join(host().dir, "out.tar");
  expect(await host().ok(["export", "-o", file, "over"])).toBe("");
  expect(await listed(file)).toContain("bin/busybox");
  writeFileSync(file, "before");
  const failed = await host().rt(["export", "--output", file, "nosuch"]);
  expect(oneLine(failed.stderr)).toBe("No such container: nosuch");
  expect(failed.code).toBe(1);
  expect(readFileSync(file, "utf8")).toBe("before");
  const nowhere = await host().rt(["export", "-o", join(host().dir, "no/such/out.tar"), "over"]);
  expect(oneLine(nowhere.stderr)).toMatch(/^cannot write .*out\.tar: ENOENT/);
  expect(nowhere.code).toBe(1);
  expect(readdirSync(host().dir).filter((name) => name.startsWith(".rt-export"))).toEqual([]);
  expect(existsSync(join(host().dir, "no"))).toBe(false);
  await host().ok(["rm", "over"]);
});

test("a terminal is refused, in docker's words", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  await using terminal = host().pty(["export", "over"]);
  expect(await terminal.exited).toBe(1);
  expect(terminal.screen.text).toBe(
    "rt: cowardly refusing to save to a terminal: use the -o flag or redirect\r\n",
  );
  await host().ok(["rm", "over"]);
});

test("the reader goes: a quiet end", async () => {
  await using container = await running(host());
  const shell = Bun.spawn(
    [
      "sh",
      "-c",
      '"$0" export "$1" | head -c 10 >/dev/null',
      process.env.RT_BINARY || "dist/rt",
      container.name,
    ],
    {
      env: host().env,
      stderr: "pipe",
    },
  );
  expect(await shell.stderr.text()).toBe("");
  expect(await shell.exited).toBe(0);
});

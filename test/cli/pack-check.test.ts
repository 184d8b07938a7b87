/** Apps that were cut, damaged, or never finished: each is told of in one line, and a killed pack leaves nothing for good. */
import { afterAll, beforeAll, expect } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { asApp, flip, partOf } from "../support/app.ts";
import { rtBinary } from "../support/rt.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine } from "./world.ts";

const { test, host } = containerTests();

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(scratchDirectory(), "rt-apps-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

let said: string;

async function packed(name: string): Promise<string> {
  const path = join(dir, name);
  said = await host().ok(["pack", "-o", path, image]);
  return path;
}

test("cut to rt's own size an app is still none of rt's", async () => {
  const app = await packed("cut-to-size");
  truncateSync(app, statSync(rtBinary).size);
  for (const args of [["--version"], ["images"], []]) {
    const { stdout, stderr, code } = await host().rt(args, asApp(app));
    expect(oneLine(stderr)).toMatch(/^cannot start: this app is cut short or damaged: copy it again/);
    expect([stdout, code]).toEqual(["", 125]);
  }
});

test("cut inside rt's own part the kernel refuses it: an error of execve, and no signal", async () => {
  const app = await packed("cut-inside");
  const { size } = statSync(rtBinary);
  for (const length of [size - 1, size - 2_000_000, size / 2, 10_000_000, 5000]) {
    const cut = join(dir, "cut");
    copyFileSync(app, cut);
    truncateSync(cut, Math.floor(length));
    const child = Bun.spawn(["sh", "-c", `exec "$0"`, cut], { stdio: ["ignore", "pipe", "pipe"] });
    const stderr = await child.stderr.text();
    expect({ length, signal: child.signalCode, code: await child.exited, stderr }).toEqual({
      length,
      signal: null,
      code: 126,
      stderr: expect.stringMatching(/^[^\n]*\n$/),
    });
  }
});

test("rt pack --check: a whole app, a bit in each of its parts, what is none", async () => {
  const app = await packed("checked");
  const check = (path: string) => host().rt(["pack", "--check", path]);
  expect(await check(app)).toMatchObject({
    // The one that pack has named.
    stdout: `${app}: whole, with the image ${/sha256:[0-9a-f]{64}$/m.exec(said)?.[0]}\n`,
    stderr: "",
    code: 0,
  });
  const { offset, length } = partOf(app);
  const places = { executable: 30_000_000, "its last page": offset - 1, layout: offset + length - 100 };
  for (const [what, place] of Object.entries(places)) {
    flip(app, place);
    const { stdout, stderr, code } = await check(app);
    flip(app, place);
    expect([what, stdout, code]).toEqual([what, "", 125]);
    expect(oneLine(stderr)).toMatch(/^this app is damaged: /);
  }
  const none = [
    [rtBinary, "is no app: rt pack makes one, and it may be cut short"],
    [join(dir, "nosuch"), "does not exist"],
    [dir, "is no app: it is not a regular file"],
  ] as const;
  for (const [path, why] of none) {
    const { stderr, code } = await check(path);
    expect([oneLine(stderr), code]).toEqual([`${path} ${why}`, 125]);
  }
  const two = await host().rt(["pack", "--check", app, rtBinary]);
  expect(oneLine(two.stderr)).toMatch(/^pack --check reads one FILE, got \S+ as well$/);
  expect([two.stdout, two.code]).toEqual(["", 125]);
  expect((await host().rt(["pack", "--check", "-o", "x", app])).code).toBe(125);
});

test("a start that fails tells when the executable is not what was packed", async () => {
  const app = await packed("failing");
  flip(app, partOf(app).offset - 1); // padding: it starts, and is not the same
  expect((await host().rt(["true"], asApp(app))).code).toBe(0);
  const { stderr, code } = await host().rt(["true"], asApp(app, { RT_STORAGE_DRIVER: "nosuch" }));
  const [, second] = stderr.trimEnd().split("\n");
  expect(second).toStartWith("rt: this app is damaged: its executable is not the one that was packed");
  expect(code).toBe(125);
});

test("kill -9 of rt pack leaves what the next one removes, and nothing of others", async () => {
  const place = join(dir, "killed");
  mkdirSync(place);
  const app = join(place, "app");
  await using pack = host().spawn(["pack", "-q", "-o", app, image]);
  const left = await until("its file is there", () => readdirSync(place)[0]);
  pack.kill("SIGKILL");
  await pack.exited;
  const foreign = join(place, ".app.0123456789ab.tmp");
  symlinkSync("/nonexistent-rt-test", foreign);
  writeFileSync(join(place, ".app.notes.tmp"), "mine");
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(join(place, left), longAgo, longAgo);
  await host().ok(["pack", "-q", "-o", app, image]);
  expect(readdirSync(place).sort()).toEqual([".app.0123456789ab.tmp", ".app.notes.tmp", "app"]);
  expect((await host().rt(["true"], asApp(app))).code).toBe(0);
});

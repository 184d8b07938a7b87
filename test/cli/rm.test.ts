/** `rt rm`: what goes, what is refused. */

import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { containerTests, image, nothingLeft, oneLine, running, statusOf } from "./world.ts";

const { test, host } = containerTests();

async function ended(name: string): Promise<string> {
  await host().ok(["run", "--name", name, image, "true"]);
  return (await host().ok(["inspect", "-f", "{{.Id}}", name])).trim();
}

test("by name, id and the start of an id; several at once", async () => {
  const ids = [await ended("one"), await ended("two"), await ended("three")];
  expect(await host().ok(["rm", "one", ids[1]!, ids[2]!.slice(0, 9)])).toBe(
    `one\n${ids[1]}\n${ids[2]!.slice(0, 9)}\n`,
  );
  await nothingLeft(host(), ids);
});

test("`container rm` and `container remove`", async () => {
  for (const word of ["rm", "remove"]) {
    await ended("it");
    expect(await host().ok(["container", word, "it"])).toBe("it\n");
  }
});

test("a running one only with -f", async () => {
  await using container = await running(host());
  const refused = await host().rt(["rm", container.name]);
  expect(oneLine(refused.stderr)).toBe(
    `cannot remove container "${container.name}": container is running: stop the container before removing or force remove`,
  );
  expect(refused.code).toBe(1);
  expect(await statusOf(host(), container.name)).toBe("running");
  expect(await host().ok(["rm", "-f", container.name])).toBe(`${container.name}\n`);
  expect(await container.client.exited).toBe(137);
  expect(container.client.stderr.text).toBe("");
});

test("rm -f of one whose program is stopped, and of one with many processes", async () => {
  await using stopped = await running(host());
  await host().ok(["kill", "-s", "STOP", stopped.name]);
  await host().ok(["rm", "-f", stopped.name]);
  await using many = await running(host(), [
    "sh",
    "-c",
    "for i in $(seq 50); do sleep 1000 & done; echo up; wait",
  ]);
  await many.client.stdout.waitFor("up");
  await host().ok(["rm", "-f", many.name]);
  await nothingLeft(host(), [stopped.id, many.id]);
});

test("rm -f of a --rm container whose client is there: both agree", async () => {
  await using container = await running(host(), ["sleep", "1000"], ["--rm"]);
  await host().ok(["rm", "-f", container.name]);
  expect(await container.client.exited).toBe(137);
  expect(container.client.stderr.text).toBe("");
});

test("unknown: exit 1; with -f told, but no failure", async () => {
  const plain = await host().rt(["rm", "nosuch"]);
  expect([oneLine(plain.stderr), plain.code]).toEqual(["No such container: nosuch", 1]);
  const forced = await host().rt(["rm", "-f", "nosuch"]);
  expect([oneLine(forced.stderr), forced.code]).toEqual(["No such container: nosuch", 0]);
  await ended("there");
  const mixed = await host().rt(["rm", "nosuch", "there"]);
  expect([mixed.stdout, mixed.code]).toEqual(["there\n", 1]);
});

test("an ambiguous start of an id is an error", async () => {
  // Of 17 ids two start with the same digit.
  const ids: string[] = [];
  for (let index = 0; index < 17; index++) ids.push(await ended(`many-${index}`));
  const digit = ids.map((id) => id[0]!).find((each, index, all) => all.indexOf(each) !== index)!;
  const { stderr, code } = await host().rt(["rm", digit]);
  expect(oneLine(stderr)).toContain(`multiple IDs found with provided prefix: ${digit}`);
  expect(code).toBeGreaterThan(0);
  await host().ok(["rm", ...ids]);
});

test("twice at once: one removes it, the other is told", async () => {
  await ended("raced");
  const results = await Promise.all(Array.from({ length: 6 }, () => host().rt(["rm", "raced"])));
  expect(results.filter(({ code }) => code === 0).length).toBeGreaterThan(0);
  for (const { stderr, code } of results)
    expect(code === 0 ? "" : stderr).toBe(code === 0 ? "" : "rt: No such container: raced\n");
  await nothingLeft(host());
});

test("a deep and hostile tree in its writable layer goes too", async () => {
  const script =
    "cd /; i=0; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done; touch x; chmod 0 .; ln -s / /link; mkfifo /fifo";
  await host().ok(["run", "--name", "deep", image, "sh", "-c", script]);
  await host().ok(["rm", "deep"]);
  expect(existsSync("/bin")).toBe(true);
  await nothingLeft(host());
});

test("a damaged record stands in nobody's way, and rm -f removes it", async () => {
  await host().ok(["run", "--name", "damaged", image, "true"]);
  using database = new Database(join(host().root, "db.sqlite"));
  database.run("UPDATE containers SET record = x'00' WHERE name = 'damaged'");
  const listed = await host().rt(["ps", "-a"]);
  expect([listed.code, oneLine(listed.stderr)]).toEqual([0, expect.stringContaining("is damaged")]);
  expect(await host().ok(["run", "--rm", image, "echo", "on"])).toBe("on\n");
  expect(await host().ok(["rm", "-f", "damaged"])).toBe("damaged\n");
  expect((await host().rt(["ps", "-a"])).stderr).toBe("");
});

/** `rt rename` and `rt port`. */
import { expect } from "bun:test";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

test("a running and an ended one are found by the new name alone, everywhere", async () => {
  await using container = await running(host());
  const { name, id } = container;
  expect(await host().ok(["rename", name, "fresh"])).toBe("");
  expect((await host().rt(["inspect", name])).code).toBe(1);
  expect(await host().ok(["inspect", "-f", "{{.Id}} {{.Name}}", "fresh"])).toBe(`${id} /fresh\n`);
  expect(await host().ok(["exec", "fresh", "echo", "in"])).toBe("in\n");
  await host().ok(["kill", "fresh"]);
  expect(await container.client.exited).toBe(137);
  await host().ok(["rename", id.slice(0, 12), "/older"]);
  expect(await host().ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("older\n");
  await host().ok(["rename", "older", name]);
});

test("what cannot be its name: Docker's words, exit 1, nothing changed", async () => {
  await host().ok(["run", "--name", "one", image, "true"]);
  await host().ok(["run", "--name", "two", image, "true"]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "two"])).trim();
  for (const [argv, text] of [
    [
      ["one", "two"],
      `Error when allocating new name: Conflict. The container name "/two" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    ],
    [["one", "one"], "Renaming a container with the same name as its current name"],
    [["one", ""], "Neither old nor new names may be empty"],
    [["none", "three"], "No such container: none"],
  ] as const) {
    const { stderr, code } = await host().rt(["rename", ...argv]);
    expect([oneLine(stderr), code]).toEqual([text, 1]);
  }
  const odd = await host().rt(["rename", "one", "../x"]);
  expect(oneLine(odd.stderr)).toStartWith('Error when allocating new name: invalid name "../x"');
  expect(odd.code).toBe(1);
  expect(await host().ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("two\none\n");
  await host().ok(["rm", "one", "two"]);
});

test("a record that was damaged after the renaming comes back under the new name", async () => {
  await using container = await running(host());
  await host().ok(["rename", container.name, "fresh"]);
  const { Database } = await import("bun:sqlite");
  using db = new Database(`${host().root}/db.sqlite`);
  db.run("UPDATE containers SET record = x'00' WHERE id = ?", [container.id]);
  await host().rt(["ps"]);
  expect(await host().ok(["inspect", "-f", "{{.Name}}", "fresh"])).toBe("/fresh\n");
  await host().ok(["exec", "fresh", "true"]);
  await host().ok(["rename", "fresh", container.name]);
});

test("no port is published: nothing is printed, and one that is asked for is an error", async () => {
  await using container = await running(host());
  expect(await host().ok(["port", container.name])).toBe("");
  for (const [argv, text, status] of [
    [[container.name, "80/tcp"], `No public port '80/tcp' published for ${container.name}`, 1],
    [["nosuch"], "No such container: nosuch", 1],
    [[container.name, "x"], "invalid port (x): want a number", 1],
  ] as const) {
    const { stderr, code } = await host().rt(["port", ...argv]);
    expect([oneLine(stderr), code]).toEqual([text, status]);
  }
});

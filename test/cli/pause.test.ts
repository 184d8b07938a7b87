/** `rt pause` and `rt unpause`, and what others do with a container that stands still. */
import { expect } from "bun:test";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, running, statusOf } from "./world.ts";

const { test, host } = containerTests();
const ticking = ["sh", "-c", "while :; do echo tick; sleep 0.01; done"];

test("it stands still, says so, and goes on where it was", async () => {
  await using container = await running(host(), ticking);
  await container.client.stdout.waitFor("tick");
  expect(await host().ok(["pause", container.name])).toBe(`${container.name}\n`);
  expect(await statusOf(host(), container.name)).toBe("paused");
  const row = await host().ok(["ps", "--format", "{{.Names}} {{.Status}}"]);
  expect(row).toMatch(new RegExp(`^${container.name} Up .* \\(Paused\\)\n$`));
  expect(await host().ok(["ps", "-q", "-f", "status=paused"])).toBe(`${container.id.slice(0, 12)}\n`);
  const { State } = JSON.parse(await host().ok(["inspect", container.name]))[0];
  expect(State).toMatchObject({ Status: "paused", Running: true, Paused: true });
  const counts = "{{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}";
  expect(await host().ok(["info", "-f", counts])).toBe("0 1 0\n");
  const ticks = container.client.stdout.text.length;
  await Bun.sleep(100);
  expect(container.client.stdout.text.length).toBe(ticks);
  expect(await host().ok(["container", "unpause", container.name])).toBe(`${container.name}\n`);
  await until("it goes on", () => container.client.stdout.text.length > ticks);
  expect(await statusOf(host(), container.name)).toBe("running");
  await host().ok(["kill", container.name]);
});

test("what cannot be done with a paused one says why; kill and rm -f end it", async () => {
  await using container = await running(host());
  await host().ok(["pause", container.name]);
  const id = container.id;
  for (const [argv, text] of [
    [
      ["exec", container.name, "true"],
      `Container ${container.name} is paused, unpause the container before exec`,
    ],
    [["attach", container.name], "You cannot attach to a paused container, unpause it first"],
    [["pause", container.name], `Container ${id} is already paused`],
    [
      ["rm", container.name],
      `cannot remove container "${container.name}": container is paused and must be unpaused first`,
    ],
  ] as const) {
    const { stdout, stderr, code } = await host().rt(argv);
    expect([stdout, oneLine(stderr), code]).toEqual(["", text, 1]);
  }
  await host().ok(["kill", container.name]);
  expect(await container.client.exited).toBe(137);
  await using other = await running(host());
  await host().ok(["pause", other.name]);
  await host().ok(["rm", "-f", other.name]);
  expect(await other.client.exited).toBe(137);
});

test("one that does not run, is not paused, or is not there: one line each, exit 1", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  await using container = await running(host());
  const paused = await host().rt(["pause", "over", "nosuch", container.name]);
  expect(paused.stdout).toBe(`${container.name}\n`);
  expect(paused.stderr).toMatch(/^rt: container \w{64} is not running\nrt: No such container: nosuch\n$/);
  expect(paused.code).toBe(1);
  const unpaused = await host().rt(["unpause", "over", container.name]);
  expect(unpaused.stdout).toBe(`${container.name}\n`);
  expect(oneLine(unpaused.stderr)).toMatch(/^Container \w{64} is not paused$/);
  expect(unpaused.code).toBe(1);
  await host().ok(["rm", "over"]);
});

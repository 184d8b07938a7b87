/** What can be asked of a container that its restart policy is about to start again. */
import { expect } from "bun:test";
import { until } from "../support/wait.ts";
import { containerTests, image, oneLine, statusOf } from "./world.ts";

const { test, host } = containerTests();

test("what needs its program says that it is restarting; wait goes on until it is stopped", async () => {
  await host().ok(["run", "-d", "--name", "often", "--restart=always", image, "sh", "-c", "exit 3"]);
  await using waiting = host().spawn(["wait", "often"]);
  const verbs = [
    ["exec", "often", "true"],
    ["pause", "often"],
    ["top", "often"],
    ["attach", "often"],
  ];
  for (const argv of verbs) {
    // Its pauses become longer, and between them it runs for a moment.
    const stderr = await until(`${argv[0]} meets one`, async () => {
      await until("it waits", async () => (await statusOf(host(), "often")) === "restarting");
      const told = await host().rt(argv);
      return told.stderr.includes("restarting") && told.code === 1 && told.stderr;
    });
    expect(oneLine(stderr)).toMatch(
      /is restarting, wait until the container is running$|^You cannot attach to a/,
    );
  }
  await until("it waits", async () => (await statusOf(host(), "often")) === "restarting");
  expect(await host().ok(["start", "often"])).toBe("often\n");
  expect(waiting.stdout.text).toBe("");
  await host().ok(["stop", "often"]);
  expect(await waiting.exited).toBe(0);
  expect(waiting.stdout.text).toMatch(/^\d+\n$/);
  expect(await statusOf(host(), "often")).toBe("exited");
  await host().ok(["rm", "often"]);
});

test("wait: the last status of one that is started again and again", async () => {
  const argv = ["run", "-d", "--name", "tries", "--restart=on-failure:3", image, "sh", "-c", "exit 4"];
  await host().ok(argv);
  const started = performance.now();
  expect(await host().ok(["wait", "tries"])).toBe("4\n");
  // 100, 200 and 400 ms of waiting.
  expect(performance.now() - started).toBeGreaterThan(500);
  await host().ok(["rm", "tries"]);
});

test("restart: one that waits is started at once; what was stopped is started by hand and by its policy again", async () => {
  const script = "test -e /good && exec sleep 1000; exit 1";
  await host().ok(["run", "-d", "--name", "mended", "--restart=always", image, "sh", "-c", script]);
  await until("it waits", async () => (await statusOf(host(), "mended")) === "restarting");
  await host().ok(["stop", "mended"]);
  expect(await host().ok(["restart", "mended"])).toBe("mended\n");
  await until("its policy holds again", async () => (await statusOf(host(), "mended")) === "restarting");
  expect(await host().ok(["restart", "mended"])).toBe("mended\n");
  await host().ok(["rm", "-f", "mended"]);
});

/** A client that takes nothing: where a log keeps the output too it does not hold the program for ever, and it says so. */
import { expect } from "bun:test";
import { containerTests, running, statusOf } from "../cli/world.ts";
import { until } from "../support/wait.ts";

const { test, host } = containerTests();

const script = "until test -e /go; do sleep 0.05; done; yes | head -c 4000000; echo over > /over; sleep 1000";
const program = ["sh", "-c", script];

test("with a log the program goes on after ten seconds, without one it waits", async () => {
  await using logged = await running(host(), program);
  await using alone = await running(host(), program, ["--log-driver", "none"]);
  // Stopped before there is anything to take.
  for (const { client } of [logged, alone]) client.kill("SIGSTOP");
  for (const { name } of [logged, alone]) await host().ok(["exec", name, "touch", "/go"]);
  const isOver = async (name: string) =>
    (await host().rt(["exec", name, "cat", "/over"])).stdout === "over\n";
  await until("the program with a log goes on", () => isOver(logged.name), 30_000);
  expect(await isOver(alone.name)).toBe(false);
  expect(await statusOf(host(), alone.name)).toBe("running");
  for (const { client } of [logged, alone]) client.kill("SIGCONT");
  await logged.client.stderr.waitFor(
    "rt: the output was not taken for 10 s: what follows is in the log alone\n",
  );
  await until("the other one goes on", () => isOver(alone.name));
  // It waits for the end all the same, and has its status.
  await host().ok(["kill", logged.name]);
  expect(await logged.client.exited).toBe(137);
}, 90_000);

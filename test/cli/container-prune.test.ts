/** `rt container prune`. */
import { expect } from "bun:test";
import { join } from "node:path";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

test("it asks, and removes only after a yes; what runs stays", async () => {
  await using container = await running(host());
  await host().ok(["run", "--name", "over", image, "sh", "-c", "head -c 5000 /dev/zero > /file"]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "over"])).trim();
  const made = (await host().ok(["create", image])).trim();
  const question =
    "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ";
  for (const stdin of ["", "n\n", "yes\n"]) {
    const { stdout, code } = await host().rt(["container", "prune"], { stdin });
    expect([stdout, code]).toEqual([question, 0]);
  }
  const { stdout, code } = await host().rt(["container", "prune"], { stdin: "y\n" });
  const told = /^Deleted Containers:\n((?:\w{64}\n)+)\nTotal reclaimed space: (\S+)\n$/.exec(
    stdout.slice(question.length),
  );
  expect(told?.[1]?.trim().split("\n").sort()).toEqual([id, made].sort());
  expect(told?.[2]).toMatch(/^\d+(\.\d+)?kB$/);
  expect(code).toBe(0);
  expect(await host().ok(["ps", "-aq", "--no-trunc"])).toBe(`${container.id}\n`);
});

test("-f, by label and age; anonymous volumes stay, as Docker has it", async () => {
  await host().ok(["run", "--name", "keep", "-l", "keep", image, "true"]);
  await host().ok(["run", "--name", "go", "-v", "/data", image, "true"]);
  const volume = (await host().ok(["inspect", "-f", "{{(index .Mounts 0).Source}}", "go"])).trim();
  expect(await host().ok(["container", "prune", "-f", "--filter", "until=1h"])).toBe(
    "Total reclaimed space: 0B\n",
  );
  await host().ok(["container", "prune", "--force", "--filter", "label!=keep"]);
  expect(await host().ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("keep\n");
  expect((await Bun.$`ls -d ${volume}`.text()).trim()).toBe(volume);
  await host().ok(["container", "prune", "-f", "--filter", "label=keep"]);
  expect(await host().ok(["ps", "-aq"])).toBe("");
  await Bun.$`rm -r ${join(volume, "..")}`;
});

test("a filter that is none: one line, nothing is removed", async () => {
  await host().ok(["run", "--name", "over", image, "true"]);
  for (const filter of ["until=soon", "name=over"]) {
    const { stderr, code } = await host().rt(["container", "prune", "-f", "--filter", filter]);
    oneLine(stderr);
    expect(code).toBe(125);
  }
  await host().ok(["rm", "over"]);
});

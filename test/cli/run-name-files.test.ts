/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: its own, writable, and bounded. */
import { expect } from "bun:test";
import { appendFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { rtBinary } from "../support/rt.ts";
import { containerTests, image, pidOf, running } from "./world.ts";

const { test, host } = containerTests(["unshare"]);
const names = ["hosts", "hostname", "resolv.conf"];

test("a container cannot fill the host's /run by way of its name files", async () => {
  const fill = names
    .map((name) => `dd if=/dev/zero of=/etc/${name} bs=64k count=1000 2>/dev/null`)
    .join("; ");
  const sizes = names.map((name) => `stat -c %s /etc/${name}`).join("; ");
  await using container = await running(host(), ["sh", "-c", `${fill}; echo full; exec sleep 60`]);
  await container.client.stdout.waitFor("full");
  const taken = (await host().ok(["exec", container.name, "sh", "-c", sizes])).trim().split("\n").map(Number);
  expect(taken.reduce((sum, size) => sum + size)).toBeLessThan(2 << 20);
  for (const name of names)
    expect(statSync(join(host().state, "containers", container.id, name)).size).toBeLessThan(64 * 1024);
});

test("root writes them, others read them, and exec sees what was written", async () => {
  await using container = await running(
    host(),
    ["sleep", "60"],
    ["--add-host", "here:10.0.0.1", "--hostname", "named"],
  );
  const inside = (...command: string[]) => host().ok(["exec", ...command]);
  expect(await inside("-u", "1000", container.name, "cat", "/etc/hostname")).toBe("named\n");
  expect(await inside(container.name, "stat", "-c", "%a %u:%g", ...names.map((name) => `/etc/${name}`))).toBe(
    "644 0:0\n".repeat(3),
  );
  await inside(container.name, "sh", "-c", "echo 10.0.0.2 there >> /etc/hosts");
  expect(await inside(container.name, "grep", "-c", "10.0.0.[12]", "/etc/hosts")).toBe("2\n");
  const denied = await host().rt(["exec", "-u", "1000", container.name, "sh", "-c", "echo x >> /etc/hosts"]);
  expect(denied.code).not.toBe(0);
});

test("they can be rewritten in place from outside, and the program sees that", async () => {
  await using container = await running(host());
  const root = `/proc/${await pidOf(host(), container.name)}/root`;
  appendFileSync(join(root, "etc/hosts"), "10.0.0.3\tlater\n");
  expect(await host().ok(["exec", container.name, "grep", "later", "/etc/hosts"])).toBe("10.0.0.3\tlater\n");
  expect(readFileSync(join(root, "etc/hosts"), "utf8")).toStartWith("127.0.0.1\tlocalhost\n");
});

test("a hosts file that is large from the start is whole, and can be added to", async () => {
  const flags = Array.from({ length: 2000 }, (_, each) => [
    "--add-host",
    `${"n".repeat(50)}${each}:10.1.${each >> 8}.${each & 255}`,
  ]).flat();
  const script = "grep -c nnn /etc/hosts; echo more >> /etc/hosts && echo ok";
  expect(await host().ok(["run", "--rm", ...flags, image, "sh", "-c", script])).toBe("2000\nok\n");
  // As large as no record of ours can be: the host's own.
  const table = join(host().dir, "table");
  await Bun.write(table, `10.0.0.4 large\n${"# a comment\n".repeat(2_000_000)}`);
  const run = '"$RT" run --rm --network host "$IMAGE" sh -c "head -n 1 /etc/hosts; wc -c < /etc/hosts"';
  const child = Bun.spawn(["unshare", "-m", "sh", "-ec", `mount --bind ${table} /etc/hosts; ${run}`], {
    env: { ...host().env, RT: rtBinary, IMAGE: image },
  });
  expect(await child.stdout.text()).toBe(`10.0.0.4 large\n${statSync(table).size}\n`);
});

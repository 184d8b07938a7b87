/** A hundred at once in one network, and starts that are cut short anywhere: nobody has another's address, and nothing is left. */
import { afterAll, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxHost, image, remains } from "../cli/world.ts";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { patience, until } from "../support/wait.ts";

const { test, beforeAll } = needs({
  root: true,
  tools: ["busybox", "tar", ...networkTools],
  also: () => (process.arch === "x64" ? undefined : "a processor whose system calls it knows (x86-64)"),
});

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.ok(["network", "create", "--subnet", "10.5.0.0/24", "crowd"]);
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

const starts = 100;

test(
  "a hundred starts at once: a hundred addresses",
  async () => {
    const command = [
      "run",
      "--rm",
      "-i",
      "--network",
      "crowd",
      image,
      "sh",
      "-c",
      "ip -4 -o address show eth0; cat >/dev/null",
    ];
    const clients = Array.from({ length: starts }, () => host().spawn(command));
    const found = await Promise.all(
      clients.map(async (client) => (await client.stdout.waitFor(/inet (10\.5\.0\.\d+)\/24/, 240_000))[1]!),
    );
    expect(new Set(found).size).toBe(starts);
    const inside = JSON.parse(await host().ok(["network", "inspect", "crowd"]))[0].Containers;
    expect(
      Object.values(inside)
        .map((each) => (each as { IPv4Address: string }).IPv4Address)
        .sort(),
    ).toEqual(found.map((address) => `${address}/24`).sort());
    for (const client of clients) client.closeStdin();
    expect(await Promise.all(clients.map(({ exited }) => exited))).toEqual(Array(starts).fill(0));
    await until("all interfaces are gone", async () => (await host().links()).length === 1, 60_000);
  },
  300_000 * patience,
);

test(
  "a start that is killed right before each of its calls to the network leaves nothing with the next command",
  async () => {
    const trace = join(host().dir, "calls");
    const tracer = join(import.meta.dir, "../support/crash-at.ts");
    const command = ["run", "-d", "--name", "sample", "--network", "crowd", image, "sleep", "1000"];
    const { RT_ROOT, RT_STATE } = host().env;
    const attempt = (role: string, index: number) =>
      host().inHost([
        ...["env", `RT_ROOT=${RT_ROOT}`, `RT_STATE=${RT_STATE}`, "sh", "-c", '"$@" || true', "sh"],
        ...[process.execPath, tracer, trace, "client", role, String(index), rtBinary, ...command],
      ]);
    await attempt("-", 0);
    await host().ok(["rm", "-f", "sample"]);
    const calls = readFileSync(trace, "utf8").split("\n");
    const points = calls.flatMap((line) => /^client (\d+) (?:setns|sendto|sendmsg)\b/.exec(line)?.[1] ?? []);
    expect(points.length).toBeGreaterThan(5);
    for (const point of points) {
      await attempt("client", Number(point));
      await host().ok(["ps", "-a"]);
      await host().rt(["rm", "-f", "sample"]);
      await until(`nothing is left of ${point}`, async () => {
        const { Containers } = JSON.parse(await host().ok(["network", "inspect", "crowd"]))[0];
        const isEmpty = Object.keys(Containers).length === 0 && remains(host()).length === 0;
        return isEmpty && (await host().links()).length === 1;
      });
    }
  },
  300_000 * patience,
);

test(
  "a start that is killed at any moment leaves no address, no interface, no container",
  async () => {
    for (let round = 0; round < 30; round++) {
      const client = host().spawn(["run", "--rm", "--network", "crowd", image, "true"]);
      await Bun.sleep(round * 6);
      await client[Symbol.asyncDispose]();
    }
    await until(
      "everything is gone",
      async () => {
        expect((await host().rt(["ps", "-aq"])).code).toBe(0);
        return remains(host()).length === 0 && (await host().links()).length === 1;
      },
      60_000,
    );
    expect(await host().ok(["ps", "-aq"])).toBe("");
    // The first address is free again.
    const command = ["run", "--rm", "--network", "crowd", image, "ip", "-4", "-o", "address", "show", "eth0"];
    expect(await host().ok(command)).toContain("10.5.0.2/24");
  },
  120_000 * patience,
);

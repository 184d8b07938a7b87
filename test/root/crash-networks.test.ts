/** A hundred at once in one network, and starts that are cut short anywhere: nobody has another's address, and nothing is left. */
import { afterAll, expect } from "bun:test";
import { busyboxHost, image, remains } from "../cli/world.ts";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { needs } from "../support/root.ts";
import { patience, until } from "../support/wait.ts";

const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });

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

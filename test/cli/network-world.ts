/** A host with a network of its own and a world behind it, shared by the tests of one file; after each of them nothing is left. */
import { afterAll, afterEach, expect } from "bun:test";
import { newLinks } from "../contract/network/cases.ts";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { type Gated, needs } from "../support/root.ts";
import { until } from "../support/wait.ts";
import { busyboxHost, nothingLeft } from "./world.ts";

/** @param answer what the world says at its port 80 */
export function networkTests(answer: string): Pick<Gated, "test"> & { host: () => NetworkHost } {
  const { test, beforeAll } = needs({ root: true, tools: ["busybox", "tar", ...networkTools] });
  let made: NetworkHost | undefined;
  const host = () => made!;
  beforeAll(async () => {
    made = await networkHost(await busyboxHost());
    await made.serveInWorld(80, answer);
  }, 120_000);
  /** No network, container, bridge or end of one; the kernel may be just clearing away. */
  afterEach(async () => {
    if (!made) return;
    await nothingLeft(host());
    const names = (await host().ok(["network", "ls", "-q", "-f", "type=custom"])).trim();
    if (names !== "") await host().ok(["network", "rm", ...names.split("\n")]);
    await host().ok(["network", "prune", "-f"]);
    await until("no interface is left", async () => (await newLinks(host())).length === 0);
    expect(names).toBe("");
  });
  afterAll(async () => await made?.[Symbol.asyncDispose]());
  return { test, host };
}

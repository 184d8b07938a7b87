/** Whoever publishes a port is killed right before each of his calls: it is published or not with the next command, and no half. */
import { afterAll, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxHost, image, remains } from "../cli/world.ts";
import { type NetworkHost, networkHost, networkTools } from "../support/network-host.ts";
import { heldPorts, ledPorts } from "../support/port-host.ts";
import { cannotTrace, needs } from "../support/root.ts";
import { rtBinary } from "../support/rt.ts";
import { patience, until } from "../support/wait.ts";

const { test, beforeAll } = needs({
  root: true,
  tools: ["busybox", "tar", "nft", ...networkTools],
  also: cannotTrace,
});

let made: NetworkHost | undefined;
const host = () => made!;

beforeAll(async () => {
  made = await networkHost(await busyboxHost());
  await made.ok(["network", "create", "--subnet", "10.5.0.0/24", "lab"]);
}, 120_000);

afterAll(async () => await made?.[Symbol.asyncDispose]());

/** @returns the calls of its client that are worth dying before */
async function attempt(command: readonly string[], point: string, which: RegExp): Promise<string[]> {
  const [trace, tracer] = [join(host().dir, "calls"), join(import.meta.dir, "../support/crash-at.ts")];
  const { RT_ROOT, RT_STATE } = host().env;
  const at = point === "" ? ["-", "0"] : ["client", point];
  await host().inHost([
    ...["env", `RT_ROOT=${RT_ROOT}`, `RT_STATE=${RT_STATE}`, "sh", "-c", '"$@" || true', "sh"],
    ...[process.execPath, tracer, trace, "client", ...at, rtBinary, ...command],
  ]);
  return readFileSync(trace, "utf8")
    .split("\n")
    .flatMap((line) => which.exec(line)?.[1] ?? []);
}

test(
  "of a start nothing is left",
  async () => {
    const ports = ["-p", "8080:80", "-p", "5353:53/udp", "-p", "[::1]:8081:81"];
    const command = ["run", "-d", "--name", "sample", "--network", "lab", ...ports, image, "sleep", "1000"];
    const calls = /^client (\d+) (?:bind|listen|sendto|sendmsg)\b/;
    const points = await attempt(command, "", calls);
    expect(points.length).toBeGreaterThan(10);
    expect((await heldPorts(host())).length).toBe(3);
    await host().ok(["rm", "-f", "sample"]);
    for (const point of points) {
      await attempt(command, point, calls);
      await until(`nothing is left of ${point}`, async () => {
        const running = (await host().ok(["ps", "-q"])).trim();
        if (running !== "") await host().ok(["rm", "-f", "sample"]);
        const left = [await ledPorts(host()), await heldPorts(host())].flat();
        return left.length === 0;
      });
      await host().rt(["rm", "-f", "sample"]);
      expect(remains(host())).toEqual([]);
    }
  },
  600_000 * patience,
);

/** Where its second port is to be seen. */
async function places(): Promise<boolean[]> {
  const shown = (await host().ok(["port", "sample"])).includes("8081");
  const kept = (await host().ok(["inspect", "-f", "{{json .HostConfig.PortBindings}}", "sample"])).includes(
    "8081",
  );
  const led = (await ledPorts(host())).some((each) => each.includes("8081"));
  return [shown, kept, led, (await heldPorts(host())).includes(8081)];
}

test(
  "of one that is added to a container that runs, or taken back, nothing is half there",
  async () => {
    await host().ok([
      "run",
      "-d",
      "--name",
      "sample",
      "--network",
      "lab",
      "-p",
      "8080:80",
      image,
      "sleep",
      "1000",
    ]);
    const calls = /^client (\d+) /;
    for (const [verb, other] of [
      ["add", "rm"],
      ["rm", "add"],
    ] as const) {
      const command = ["port", verb, "sample", "8081:80"];
      const found = new Set<boolean>();
      // From where it takes its lock on. The database puts calls in between when its log is long: until there are no more.
      for (let point = 15; ; point++) {
        const made = await attempt(command, String(point), calls);
        await host().ok(["ps"]);
        const [shown, ...others] = await places();
        expect([point, ...others]).toEqual([point, ...others.map(() => shown!)]);
        found.add(shown!);
        const isDone = shown === (verb === "add");
        if (isDone) await host().ok(["port", other, "sample", "8081:80"]);
        if (made.length < point) break;
      }
      expect(found.size).toBe(2);
      await host().ok(["port", verb, "sample", "8081:80"]);
    }
    await host().ok(["rm", "-f", "sample"]);
    expect([...(await ledPorts(host())), ...(await heldPorts(host()))]).toEqual([]);
  },
  900_000 * patience,
);

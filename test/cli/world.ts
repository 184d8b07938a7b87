/**
 * A host with busybox in its store, shared by the tests of one file; after each of them nothing of a container may be left.
 *
 *   const { test, host } = containerTests();
 *   test("…", async () => { expect(await host().ok(["run", "--rm", image, "true"])).toBe(""); });
 */
import { afterAll, afterEach } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestHost, testHost } from "../support/host.ts";
import { busyboxLayout } from "../support/images.ts";
import { cgroupDirectories, mountPoints } from "../support/leaks.ts";
import { type Gated, needs } from "../support/root.ts";
import type { RtProcess } from "../support/rt.ts";
import { until } from "../support/wait.ts";

/** What `rt pull oci:…/layout` calls it. */
export const image = "localhost/layout";

export interface World extends Pick<Gated, "test" | "beforeAll"> {
  host: () => TestHost;
}

export async function busyboxHost(): Promise<TestHost> {
  const host = await testHost();
  const driver = process.env.RT_STORAGE_DRIVER;
  if (driver) host.env.RT_STORAGE_DRIVER = driver;
  await host.ok(["pull", "-q", `oci:${await busyboxLayout()}`]);
  await host.ok(["run", "--rm", "-q", "--network", "none", "embed:hello"]);
  return host;
}

/**
 * @param tools programs that these tests use besides
 * @param options `keeps`: containers live on from test to test, and are looked for at the end only
 */
export function containerTests(tools: readonly string[] = [], options: { keeps?: boolean } = {}): World {
  const gated = needs({ root: true, tools: ["busybox", "tar", ...tools] });
  let host: TestHost | undefined;
  gated.beforeAll(async () => {
    host = await busyboxHost();
  }, 120_000);
  const world = () => {
    if (!host) throw new Error("the host of these tests could not be made");
    return host;
  };
  afterEach(async () => {
    if (host && !options.keeps) await nothingLeft(host);
  });
  afterAll(async () => {
    if (host && options.keeps) await removeAll(host);
    await host?.[Symbol.asyncDispose]();
  });
  return { test: gated.test, beforeAll: gated.beforeAll, host: world };
}

async function removeAll(host: TestHost): Promise<void> {
  const rows = (await host.ok(["ps", "-aq"])).trim();
  if (rows !== "") await host.ok(["rm", "-f", ...rows.split("\n")]);
  await nothingLeft(host);
}

/** Everything of containers, in every place that it could be left in; of all but cgroups when no `ids` are given. */
export function remains(host: TestHost, ids: readonly string[] = []): string[] {
  const below = (path: string) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []);
  const drivers = below(join(host.root, "snapshots"));
  const places = [
    ...below(join(host.state, "containers")),
    ...drivers.flatMap((driver) => below(join(driver, "active"))),
    ...mountPoints().filter((path) => path.startsWith(`${host.dir}/`)),
  ];
  if (ids.length === 0) return places;
  return [...places, ...cgroupDirectories()].filter((path) => ids.some((id) => path.includes(id)));
}

/** No row, no state, no snapshot, no mount; a monitor that is just ending has a moment. */
export async function nothingLeft(host: TestHost, ids: readonly string[] = []): Promise<void> {
  const rows = (await host.ok(["ps", "-aq", "--no-trunc"])).trim();
  if (rows !== "") {
    await host.ok(["rm", "-f", ...rows.split("\n")]);
    throw new Error(`containers left by this test: ${rows}`);
  }
  await gone(host, ids);
}

/** With `ids` only what is of these containers. */
async function gone(host: TestHost, ids: readonly string[]): Promise<void> {
  try {
    await until("everything is gone", () => remains(host, ids).length === 0);
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${remains(host, ids).join(", ")}`);
  }
}

/** A container that a test works on while it runs; disposing of it removes it. */
export interface Running extends AsyncDisposable {
  readonly id: string;
  readonly name: string;
  readonly client: RtProcess;
}

let counter = 0;

/** `rt run FLAGS IMAGE COMMAND` (of busybox) beside the test, once its program runs. */
export async function running(
  host: TestHost,
  command: readonly string[] = ["sleep", "1000"],
  flags: readonly string[] = [],
  of = image,
): Promise<Running> {
  const name = `test-${process.pid}-${counter++}`;
  const client = host.spawn(["run", "--name", name, ...flags, of, ...command]);
  const id = await containerId(host, name, client);
  return {
    id,
    name,
    client,
    async [Symbol.asyncDispose]() {
      await host.rt(["rm", "-f", name]);
      await client[Symbol.asyncDispose]();
      await gone(host, [id]);
    },
  };
}

/** The id of a container once its program runs. @throws Error with the client's words when it ends before that. */
export async function containerId(
  host: TestHost,
  name: string,
  client?: { exited: Promise<number>; stderr: { text: string } },
): Promise<string> {
  let ended: number | undefined;
  void client?.exited.then((code) => (ended = code));
  return until(`container ${name} runs`, async () => {
    const id = (await host.ok(["ps", "-q", "--no-trunc", "-f", `name=^${name}$`])).trim();
    if (id === "" && ended !== undefined)
      throw new Error(`rt run ended with ${ended}: ${client?.stderr.text}`);
    return id || undefined;
  });
}

/** The pid of the container's program, as the host sees it. */
export async function pidOf(host: TestHost, name: string): Promise<number> {
  return Number((await host.ok(["inspect", "-f", "{{.State.Pid}}", name])).trim());
}

/** A container's status as `rt ps -a` has it: "running", "exited", "". */
export async function statusOf(host: TestHost, name: string): Promise<string> {
  return (await host.ok(["ps", "-a", "-f", `name=^${name}$`, "--format", "{{.State}}"])).trim();
}

/** Waits until the process has a handler for signal `number`: before that the signal would be its end. */
export async function catches(pid: number, number: number): Promise<void> {
  await until(`process ${pid} catches signal ${number}`, () => {
    const caught = /^SigCgt:\t(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
    return ((BigInt(`0x${caught}`) >> BigInt(number - 1)) & 1n) === 1n;
  });
}

/** Does it until it is done: for what may be told to "try again" where so many do things at once, or the machine is that busy. */
export async function persistently(what: string, act: () => Promise<unknown>): Promise<void> {
  const once = async () => {
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error as Error).message.includes("try again")) throw error;
      return false;
    }
  };
  await until(what, once, 200_000);
}

/** The line of `rt`'s own that a failure is told in; anything else on stderr is a failure of the test. */
export function oneLine(stderr: string): string {
  const lines = stderr.split("\n");
  if (lines.length !== 2 || lines[1] !== "" || !lines[0]!.startsWith("rt: "))
    throw new Error(`not one line of rt's: ${JSON.stringify(stderr)}`);
  return lines[0]!.slice(4);
}

import { RtError, withCause } from "../../base/errors.ts";
import type { ImageRecord } from "../../image/record.ts";
import { isNear } from "../../reference/kind.ts";
import { tellPatience } from "../../runtime/boot.ts";
import { concludeRun } from "../care/conclude.ts";
import { reconcileUnattended } from "../care/reconcile.ts";
import { create, starting } from "../container/create.ts";
import { follow } from "../container/follow.ts";
import { look } from "../container/look.ts";
import { stop } from "../container/stop.ts";
import { Host, type HostOptions } from "../host.ts";
import { ensureImage } from "../image/ensure.ts";
import type { Session, Streams } from "../session.ts";
import { Backoff, restarts } from "./backoff.ts";
import type { InitConfig, InitContainer, OnExit } from "./config.ts";
import type { ConsoleOutput } from "./console.ts";
import { ConsoleLines } from "./console-lines.ts";
import { Kept } from "./kept.ts";
import type { Plan } from "./plan.ts";
import { withUsualNetwork } from "./usual-network.ts";

export { becomeInit } from "../../runtime/boot.ts";
export type { Plan };

/** How long SIGKILL may take here: the machine's end does not wait for what cannot be ended. */
const killedWithin_ms = 1500;

/** What the session needs of its surroundings. */
export interface Surroundings {
  /** One line for people, without "rt:". */
  say(line: string): void;
  /** A failure, in one line; its exit status. */
  report(error: unknown): number;
  /** Of the console's container, which is an `rt run` of its own. */
  env: Record<string, string>;
  /** Where containers write that do not have the console. */
  stdout: ConsoleOutput;
  stderr: ConsoleOutput;
  /** The descriptors of the console: input, output, error. */
  console: readonly [number, number, number];
  /** Aborted when process 1 asks for the end. */
  end: AbortSignal;
}

/** What is to be run, and where. */
export interface MachineRun {
  config: InitConfig;
  /** A machine, not a pid namespace of one. */
  isMachine: boolean;
  store: HostOptions;
  plans: readonly Plan[];
}

/** What the session itself needs, when it is asked to end; its last lines have a second of it. */
const leave_ms = 1500;

/**
 * The session of `rt init`: run the containers until all have ended for good, or the one on the console has, or SIGTERM asks
 * for it. Then everything is stopped.
 *
 * @returns the status of the container on the console, else the first in the configuration's order that is not 0
 */
export async function runMachine(
  { config, isMachine, store, plans }: MachineRun,
  surroundings: Surroundings,
): Promise<number> {
  const { configureMachine, storeDirectory } = await import("./configure.ts");
  const onHostname = configureMachine(config, isMachine, surroundings.say);
  const session = besideSession(surroundings, surroundings.end, () => undefined);
  let host = new Host(session, store);
  const { root } = host.paths;
  const place = isMachine ? storeDirectory(root) : root;
  if (place !== root) host = new Host(session, { ...store, root: place });
  using _ = host;
  const { end: stop, say } = surroundings;
  const { startNetwork, wantedNetwork } = await import("./network.ts");
  const network = wantedNetwork(config.network, { isMachine, say });
  if (network) await startNetwork(network, { state: host.paths.state, isMachine, onHostname, say, stop });
  const able = await withUsualNetwork(host, plans, say);
  return await runSession(host, able, isMachine, surroundings);
}

async function runSession(
  host: Host,
  plans: readonly Plan[],
  isMachine: boolean,
  surroundings: Surroundings,
): Promise<number> {
  const stopping = new AbortController();
  stopping.signal.addEventListener("abort", () => {
    for (const output of [surroundings.stdout, surroundings.stderr]) output.hurry();
  });
  surroundings.end.addEventListener("abort", () => stopping.abort(stopped()));
  if (surroundings.end.aborted) stopping.abort(stopped());
  // In a pid namespace of a machine the store is that machine's, and so are the others in it.
  const kept = isMachine ? keptOf(host, plans, surroundings, stopping.signal) : undefined;
  const timeouts = [...plans.map(({ container }) => container.stopTimeout_ms), kept?.patience_ms() ?? 0];
  tellPatience(Math.max(...timeouts) + killedWithin_ms + leave_ms);
  const others = kept?.run(stopping.signal);
  const ends = plans.map(async (plan) => {
    const { console } = plan.container;
    const attempt = console
      ? () => runOnConsole(host, plan, stopping.signal, surroundings)
      : () => runBeside(host, plan, stopping.signal, surroundings);
    const status = await supervise(plan.container, attempt, stopping.signal, surroundings);
    if (console) stopping.abort(stopped());
    return status;
  });
  const statuses = await Promise.all(ends);
  stopping.abort(stopped());
  await others;
  const console = plans.findIndex((plan) => plan.container.console);
  return statuses[console] ?? statuses.find((status) => status !== 0) ?? 0;
}

function keptOf(host: Host, plans: readonly Plan[], surroundings: Surroundings, stopping: AbortSignal): Kept {
  return new Kept({
    host,
    starting: host.as(besideSession(surroundings, stopping, () => undefined)),
    planned: new Set(plans.map(({ container }) => container.name)),
    killedWithin_ms,
    ...surroundings,
  });
}

function stopped(): RtError {
  return new RtError("cancelled", "everything is being stopped");
}

/** Ask process 1 for the end, as anybody may: zig-native/boot.zig has the signals. */
export function askForEnd(how: OnExit): void {
  process.kill(1, ({ poweroff: "SIGUSR2", reboot: "SIGINT", halt: "SIGUSR1" } as const)[how]);
}

/** `attempt`, again and again as the container's policy says. @returns the last status */
async function supervise(
  { name, restart }: InitContainer,
  attempt: () => Promise<number>,
  stopping: AbortSignal,
  { say }: Surroundings,
): Promise<number> {
  const backoff = new Backoff();
  while (true) {
    const began = performance.now();
    const status = await attempt();
    if (stopping.aborted || !restarts(restart, status)) return status;
    const pause_ms = backoff.pause(performance.now() - began);
    say(`container ${name} ended with status ${status}, and starts again in ${pause_ms} ms`);
    await sleep(pause_ms, stopping);
    if (stopping.aborted) return status;
  }
}

function sleep(pause_ms: number, interrupt: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, pause_ms);
  interrupt.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}

/** One life of a container whose output goes to the console, behind its name. */
async function runBeside(
  host: Host,
  plan: Plan,
  stopping: AbortSignal,
  surroundings: Surroundings,
): Promise<number> {
  const { name, stopTimeout_ms } = plan.container;
  const to = (output: ConsoleOutput) => new ConsoleLines(name, (bytes) => output.write(bytes));
  const lines = { stdout: to(surroundings.stdout), stderr: to(surroundings.stderr) };
  const own = host.as(besideSession(surroundings, stopping, (stream, bytes) => lines[stream].push(bytes)));
  try {
    const image = await obtainImage(own, plan, surroundings);
    const snapshots = await own.snapshots();
    await reconcileUnattended(own);
    await using undo = new AsyncDisposableStack();
    const created = await create(own, image, snapshots, { ...plan.options, attended: true }, undo);
    const { record, launched } = created;
    using program = created.program;
    await starting(record, () => program.start(stopping));
    undo.move();
    const stuck = Promise.withResolvers<never>();
    using _end = onAbort(stopping, () =>
      stop(
        own,
        record.id,
        { timeout_s: stopTimeout_ms / 1000 },
        { limit_ms: killedWithin_ms, onLate: late(plan, surroundings) },
      ).catch(stuck.reject),
    );
    const attached = { start: false, stdin: false, tty: false, signals: false };
    const status = await Promise.race([follow(own, record, program, attached), stuck.promise]);
    for (const stream of Object.values(lines)) stream.end();
    await concludeRun(own, record, snapshots);
    await launched.ended();
    return status ?? 0;
  } catch (error) {
    if (isInterrupted(stopping, error)) return 0;
    return surroundings.report(error);
  }
}

/** Of one who has no console: nothing is sent to its program, and it has no terminal. */
function besideSession(
  { say }: Pick<Surroundings, "say">,
  abort: AbortSignal,
  output: Streams["output"],
): Session {
  const stdio = { kind: "streams", output } as const;
  return { stdio, terminalSize: () => undefined, detachKeys: new Uint8Array(), warn: say, abort };
}

/** Who waited all that time at the console wants to know for whom. */
function late({ container: { name, stopTimeout_ms } }: Plan, { say }: Surroundings): () => void {
  return () => {
    const waited = `its stop-timeout of ${stopTimeout_ms / 1000} s`;
    if (stopTimeout_ms > 0) say(`container ${name} did not end within ${waited}: killed`);
  };
}

async function obtainImage(
  host: Host,
  { container, options }: Plan,
  { say }: Surroundings,
): Promise<ImageRecord> {
  const { image, pull } = options;
  const { policy, platform } = pull;
  const onPull = () => {
    if (!isNear(image)) say(`container ${container.name}: pulling ${image}`);
  };
  try {
    return await ensureImage(host, image, { policy, platform, onPull });
  } catch (error) {
    throw withCause(`cannot start container ${container.name}`, error);
  }
}

/** What the end of it all has interrupted has not failed. */
function isInterrupted(stopping: AbortSignal, error: unknown): boolean {
  return stopping.aborted && error instanceof RtError && error.code === "cancelled";
}

/** One life of the container that has the console: `rt run` as a child, with our stdio. */
async function runOnConsole(
  host: Host,
  plan: Plan,
  stopping: AbortSignal,
  surroundings: Surroundings,
): Promise<number> {
  const { container, argv } = plan;
  const { report } = surroundings;
  try {
    // What takes long is said and can be stopped; a file the child reads by itself.
    if (!isNear(container.image)) await obtainImage(host, plan, surroundings);
  } catch (error) {
    if (isInterrupted(stopping, error)) return 0;
    return report(error);
  }
  if (stopping.aborted) return 0;
  let client = startClient(host, ["run", ...argv], surroundings);
  using _end = onAbort(stopping, async () => {
    const giveUp = performance.now() + container.stopTimeout_ms + killedWithin_ms;
    while (isAlive(client)) {
      if (isRunning(host, container.name)) {
        const onLate = late(plan, surroundings);
        const timeout_s = container.stopTimeout_ms / 1000;
        await stop(host, container.name, { timeout_s }, { limit_ms: killedWithin_ms, onLate }).catch(report);
      } else client.kill("SIGTERM"); // it pulls its image, or is about to start: the container goes with it
      await Promise.race([client.exited, Bun.sleep(200)]);
      // It waits for a console that takes nothing.
      if (performance.now() > giveUp) client.kill("SIGKILL");
    }
  });
  let status = await client.exited;
  // A client may be killed, and its container lives on: the console comes back to it.
  while (isRunning(host, container.name) && !stopping.aborted) {
    report(
      new RtError("unavailable", `the client of container ${container.name} was killed: attached again`),
    );
    await Bun.sleep(attachPause_ms);
    client = startClient(host, ["attach", noDetachKeys, container.name], surroundings);
    status = await client.exited;
  }
  return status;
}

/** Nothing that is typed on the console takes the console away from its container. */
export const noDetachKeys = "--detach-keys=";
const attachPause_ms = 100;

function startClient(host: Host, words: readonly string[], { env, console }: Surroundings): Bun.Subprocess {
  const { root, state } = host.paths;
  const [verb, ...rest] = words;
  return Bun.spawn(["/proc/self/exe", verb!, "--root", root, "--state", state, ...rest], {
    argv0: "rt",
    stdio: [...console],
    env,
  });
}

function isAlive({ exitCode, signalCode }: Bun.Subprocess): boolean {
  return exitCode === null && signalCode === null;
}

function isRunning(host: Host, name: string): boolean {
  const container = host.containers.find(name);
  return container !== undefined && look(host, container).state.status === "running";
}

/** Until disposed: when `signal` aborts, do `end`, which throws nothing. */
function onAbort(signal: AbortSignal, end: () => Promise<void>): Disposable {
  const listener = () => void end();
  signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

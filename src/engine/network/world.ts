import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withCause } from "../../base/errors.ts";
import { FileLock } from "../../content/file-lock.ts";
import type { Network } from "../../network/network-store.ts";
import type { Networks } from "../../network/networks.ts";
import { isPredefined } from "../../network/record.ts";
import { planStack, stackProgram, usualStack } from "../../network/stack.ts";
import { findWorld, worldDirectory, worldKeeper } from "../../network/world.ts";
import { startStack } from "../../runtime/native/stack.ts";
import { signalProcess } from "../../runtime/process.ts";
import type { Host } from "../host.ts";
import { inOurWords } from "./stack-words.ts";

/**
 * An ordinary user's networks are in a network namespace of his own, which stands for the host's: bridges, firewall, leases are
 * there as root's are on the host. One pasta, or slirp4netns, is its way out, and who keeps that keeps the namespace
 * (zig-native/monitor/stack.zig):
 *
 *   containers == bridges == the user's network namespace, eth0 == pasta == the host
 *
 * What the state directory has of it: `world/keeper`, "PID START". Where that one has ended, be it by a crash, the next container
 * that needs it gets a new one, and those that ran with the last have no network any more.
 *
 * @throws RtError not-found: nothing is installed that leads out of it
 */
export async function makeWorld(host: Host): Promise<void> {
  const { state } = host.paths;
  if (findWorld(state)) return;
  const directory = worldDirectory(state);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  using _ = await FileLock.acquire(join(directory, "lock"), { signal: host.session.abort });
  if (findWorld(state)) return;
  const kind = usualStack(host.env.PATH);
  const program = stackProgram(kind, host.env.PATH);
  const { arguments: words } = planStack({ kind, options: [] }, [], directory, "eth0");
  const request = { kind, program, arguments: words, requests: [], directory };
  try {
    const keeper = await startStack(request, { pid: 0, startTime: 0n }, host.session.abort);
    const path = join(directory, "keeper");
    writeFileSync(`${path}.new`, `${keeper.pid} ${keeper.startTime}`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw withCause("cannot make a network namespace for your networks", inOurWords(error, { requests: [] }));
  }
  findWorld(state);
}

/** Nobody can be in it any more: the last of his networks has gone. */
export async function endWorld(host: Host, { endpoints, store }: Networks): Promise<void> {
  const { state } = host.paths;
  if (!worldKeeper(state)) return;
  const directory = worldDirectory(state);
  using _ = await FileLock.acquire(join(directory, "lock"), { signal: host.session.abort });
  const isNeeded = ({ id, name }: Network) => !isPredefined(name) || endpoints.active(id).length > 0;
  if (store.list().some(isNeeded)) return;
  const keeper = worldKeeper(state);
  rmSync(join(directory, "keeper"), { force: true });
  if (keeper) signalProcess(keeper.pid, keeper.startTime, SIGTERM);
}

const SIGTERM = 15;

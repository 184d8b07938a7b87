import { existsSync } from "node:fs";
import type { ContainerRecord, ContainerState } from "../../container/record.ts";
import { type Refused, readRefused } from "../../container/refused.ts";
import { readRestarting } from "../../container/restarting.ts";
import { type Container, recordOf } from "../../container/stored-container.ts";
import { parseEvent } from "../../docker/event.ts";
import { followEvents } from "../../events/follow.ts";
import { logPath } from "../../log/files.ts";
import { LogReader } from "../../log/reader.ts";
import { kindOf } from "../../reference/kind.ts";
import { logFilesPlan } from "../../settings/log.ts";
import { reconcile } from "../care/reconcile.ts";
import type { Host } from "../host.ts";
import { type EndFacts, findings, headline, type SentSignals } from "./explain.ts";
import { healthOf } from "./health-state.ts";
import { look, withPause, withShortage } from "./look.ts";

/** Why a container is as it is, for a person. What a stranger wrote stands in it as it is. */
export interface Explanation {
  id: string;
  name: string;
  status: string;
  exitCode: number;
  headline: string;
  /** What there is to say besides, each in one line. */
  findings: string[];
  /** The last lines of its log, of one that does not run. */
  lastLines: string[];
}

const lastLinesMax = 5;
/** Of a line, in bytes. */
const lineMax = 400;

/** Why a container ended, is about to be started again, or does not start. @throws RtError not-found */
export async function why(host: Host, name: string): Promise<Explanation> {
  await reconcile(host);
  const container = host.containers.get(name);
  const seen = look(host, container);
  const state = withShortage(host, container.id, withPause(host, container.id, seen.state));
  const record = recordOf(container);
  const facts = await factsOf(host, container, record, state);
  const isOver = state.status === "exited" || state.status === "restarting";
  return {
    id: container.id,
    name: container.name,
    status: state.status,
    exitCode: state.exitCode,
    headline: headline(facts),
    findings: findings(facts),
    lastLines: isOver && record ? await lastLinesOf(host, record) : [],
  };
}

async function factsOf(
  host: Host,
  container: Container,
  record: ContainerRecord | undefined,
  state: ContainerState,
): Promise<EndFacts> {
  return {
    name: container.name,
    state,
    circumstances: state.circumstances ?? {},
    policy: record?.restart ?? { name: "no", retries: 0 },
    delay_ms: readRestarting(host.stateOf(container.id))?.delay_ms,
    sent: await sentTo(host, container.id, state),
    isStopped: container.isStopped,
    health: healthOf(host, container.id, state),
    onUnhealthy: record?.healthOnFailure ?? "none",
    changes: record ? changesSince(host, container, record) : [],
    refused: record ? await refusedTo(host, record, state) : [],
    now: Date.now(),
  };
}

/** Most may go everywhere, and nothing is asked for them. */
async function refusedTo(host: Host, { id }: ContainerRecord, { status }: ContainerState): Promise<Refused> {
  if (!host.containers.isInNetworks(id)) return [];
  const networks = await host.networks();
  if (!networks.endpoints.ofContainer(id).some(({ egress }) => egress)) return [];
  return status === "running" || status === "paused" ? networks.refused(id) : readRefused(host.filesOf(id));
}

/** What is told of an end is told a moment after it. */
const afterwards_ms = 60_000;

/** The signals of ours that came before the last end. Events that are dropped by now leave nothing to know. */
async function sentTo(host: Host, id: string, state: ContainerState): Promise<SentSignals | undefined> {
  const [from, to] = [Date.parse(state.startedAt), Date.parse(state.finishedAt)];
  if (!(to > from) || state.status === "running" || state.status === "paused") return undefined;
  const signals: { number: number; at_ms: number }[] = [];
  let [stopped, isEnd, isKnown] = [false, false, false];
  const past = followEvents(host.paths.state, { past: true, until: 0, abort: new AbortController().signal });
  for await (const lines of past) {
    for (const event of lines.flatMap((line) => parseEvent(line) ?? [])) {
      const at_ms = Number(BigInt(event.timeNano) / 1_000_000n);
      // Ours may be from a moment before the time that the monitor has written down.
      if (at_ms <= from) isKnown = true;
      if (event.Actor.ID !== id || at_ms < Math.floor(from) || at_ms > to + afterwards_ms) continue;
      isKnown ||= event.Action === "start";
      if (event.Action === "start" && at_ms > to) break;
      if (event.Action === "stop") stopped = true;
      if (event.Action === "stop" || event.Action === "kill") isEnd = true;
      if (event.Action !== "kill" || at_ms > to) continue;
      signals.push({ number: Number(event.Actor.Attributes.signal ?? 0), at_ms });
    }
  }
  const ending = signals.filter(({ number }) => number >= 1 && number <= 64);
  return isKnown || ending.length > 0 ? { signals: ending, stopped, isEnd } : undefined;
}

/** What it was made of and is no longer so. */
function changesSince(host: Host, container: Container, record: ContainerRecord): string[] {
  return [...imageChange(host, container, record), ...mountChanges(record), ...deviceChanges(record)];
}

function imageChange(
  host: Host,
  { imageId }: Container,
  { image: { reference } }: ContainerRecord,
): string[] {
  const { kind, rest } = kindOf(reference);
  if (kind !== "registry") return [];
  const now = host.images.idOf(rest);
  if (now === imageId) return [];
  const kept = `it keeps to ${shortId(imageId)}`;
  if (now !== undefined) return [`${reference} is another image by now, ${shortId(now)}: ${kept}`];
  return [`there is no image ${reference} any more: ${kept}`];
}

function shortId(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

function mountChanges({ mounts }: ContainerRecord): string[] {
  return mounts.flatMap(({ type, source, name, destination }) => {
    if (type === "tmpfs" || existsSync(source)) return [];
    const what = type === "volume" ? `volume ${name}` : source;
    return [`${what}, which belongs at ${destination} in it, is not there any more`];
  });
}

function deviceChanges({ devices }: ContainerRecord): string[] {
  return devices.flatMap(({ source }) =>
    existsSync(source) ? [] : [`device ${source} is not there any more`],
  );
}

async function lastLinesOf(host: Host, record: ContainerRecord): Promise<string[]> {
  const form = logFilesPlan(record.logDriver, record.logOptions)?.form;
  if (form === undefined) return [];
  const lines: string[] = [];
  using reader = new LogReader(logPath(host.filesOf(record.id), record.id, form), {
    form,
    tail: lastLinesMax,
    onDamage: () => {},
  });
  const sink = {
    take({ bytes }: { bytes: Uint8Array }) {
      lines.push(
        Buffer.from(bytes.subarray(0, lineMax))
          .toString()
          .replace(/\r?\n$/, ""),
      );
      return true;
    },
    flush: () => true,
  };
  await reader.read(sink);
  await reader.finish(sink);
  return lines;
}

import { getSystemErrorMap } from "node:util";
import { parseSignal } from "../../base/signals.ts";
import type { Circumstances } from "../../container/circumstances.ts";
import type { ContainerState } from "../../container/record.ts";
import type { Refused } from "../../container/refused.ts";
import { ago } from "../../docker/container-summary.ts";
import type { Health } from "../../docker/health.ts";
import { humanDuration } from "../../docker/time.ts";
import type { RestartPolicy } from "../../settings/restart.ts";

/** What is known of a container's present and of its last end. Texts may be a stranger's. */
export interface EndFacts {
  name: string;
  state: ContainerState;
  /** Its last end, of one that has run. */
  circumstances: Circumstances;
  policy: RestartPolicy;
  /** Milliseconds from the end to the next start. */
  delay_ms?: number | undefined;
  /** Signals that rt has sent since the last start, with what sent them; undefined: nobody knows any more. */
  sent: SentSignals | undefined;
  /** Told to end since somebody started it last; its policy's starts count for nothing. */
  isStopped: boolean;
  /** Docker's document of its health check, where it has one. */
  health?: Health | undefined;
  /** What its monitor does with one that is unhealthy: "none", "kill", … */
  onUnhealthy: string;
  /** What is not as it was when it was made. */
  changes: readonly string[];
  /** Where it wanted to go, and was not let go. */
  refused: Refused;
  now: number;
}

export interface SentSignals {
  signals: readonly { number: number; at_ms: number }[];
  /** By `rt stop` or `rt restart`; else by `rt kill`. */
  stopped: boolean;
  /** It is to stay down, be it that this was said while it waited for its next start. */
  isEnd: boolean;
}

const SIGKILL = 9;

/** In one line: what it does, or how it ended. */
export function headline({ name, state, circumstances, delay_ms, now }: EndFacts): string {
  const { status, exitCode, error } = state;
  const since = (time: string) => ago(time, now).replace(/ ago$/, "");
  switch (status) {
    case "running": {
      const up = since(state.startedAt);
      return `${name} runs${up && `, for ${up.toLowerCase()}`}`;
    }
    case "paused":
      return `${name} is paused: rt unpause ${name} lets it go on`;
    case "created":
      return error ? `${name} could not be started` : `${name} has never been started: rt start ${name}`;
    default: {
      if (isFailedStart(error)) return `${name} could not be started again`;
      const when = ago(state.finishedAt, now).toLowerCase();
      const how = `${when && ` ${when}`} with status ${exitCode}${meaning(exitCode, circumstances)}`;
      if (status !== "restarting") return `${name} ended${how}`;
      return `${name} ended${how}, and is about to be started again${dueIn(state, delay_ms, now)}`;
    }
  }
}

/** As create.ts says it. */
function isFailedStart(error: string): boolean {
  return error.startsWith("cannot start container ");
}

function dueIn({ finishedAt }: ContainerState, delay_ms: number | undefined, now: number): string {
  const left = delay_ms === undefined ? Number.NaN : Date.parse(finishedAt) + delay_ms - now;
  return left >= 1000 ? ` in ${humanDuration(left)}` : "";
}

/** Of an exit status; "" where it is the program's own affair. */
function meaning(status: number, { signal }: Circumstances): string {
  if (signal !== undefined) return `: ended by ${signalName(signal)}`;
  if (status === 0) return ": all went well, says the program";
  if (status === 125) return ": by convention, whoever was to run a command failed itself";
  if (status === 126) return ": by convention, a command was found and cannot be executed";
  if (status === 127) return ": by convention, a command was not found";
  const number = status - 128;
  if (number < 1 || number > 64) return ": the program's own failure";
  return `: the program says so itself; by convention, something in it was ended by ${signalName(number)}`;
}

const causes: Readonly<Record<number, string>> = {
  4: "an instruction that this processor does not have",
  6: "it has given up: abort(3)",
  7: "memory that is not there: a mapped file that was cut, or a disk error",
  8: "arithmetic: a division by zero",
  11: "a segmentation fault",
  13: "nobody read what it wrote",
  24: "its limit of processor time",
  25: "its limit of a file's size",
  31: "a system call that a filter forbids",
};

function signalName(number: number): string {
  const { name } = parseSignal(String(number));
  const cause = causes[number];
  return cause ? `${name} (${cause})` : name;
}

/** What there is to say besides, each in one line. */
export function findings(facts: EndFacts): string[] {
  const { state, circumstances } = facts;
  const isOver = state.status === "exited" || state.status === "restarting";
  return [
    ...(state.error ? [state.error] : []),
    ...shortage(circumstances),
    ...(isOver && !circumstances.oom ? sender(facts) : []),
    ...restarts(facts),
    ...health(facts.health),
    ...refusals(facts.refused),
    ...(circumstances.logErrno === undefined
      ? []
      : [`lines of its log were lost: ${errnoText(circumstances.logErrno)}`]),
    ...(isOver || state.error ? facts.changes : []),
  ];
}

function shortage({ oom }: Circumstances): string[] {
  if (!oom) return [];
  const { kills, limit, peak } = oom;
  const who = kills === 1 ? "one of its processes" : `${kills} of its processes`;
  const most = peak > 0 ? `, the most in use was ${bytesText(peak)}` : "";
  const bound = limit > 0 ? `its limit is ${bytesText(limit)}` : "the host's was short, it has no limit";
  return [`out of memory: the kernel killed ${who}; ${bound}${most}`];
}

/** Powers of 1024, as memory is limited. */
function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${Number(value.toPrecision(4))} ${units[unit]}`;
}

function sender({ circumstances, state, sent, health, onUnhealthy }: EndFacts): string[] {
  const { signal } = circumstances;
  if (health?.Status === "unhealthy" && onUnhealthy !== "none")
    return [`it was ended because it was unhealthy: --health-on-failure ${onUnhealthy}`];
  const [first, last] = [sent?.signals[0], sent?.signals.at(-1)];
  if (sent && first && last) {
    if (!sent.stopped)
      return [`rt kill sent it ${sent.signals.map(({ number }) => signalName(number)).join(", then ")}`];
    const told = `rt stop sent it ${signalName(first.number)}`;
    if (last.number !== SIGKILL || first.number === SIGKILL) return [told];
    const waited_s = Math.round((last.at_ms - first.at_ms) / 1000);
    return [`${told}, which did not end it within ${waited_s} s, and then SIGKILL`];
  }
  // Those that are left a program brings upon itself.
  if (signal === undefined || state.error || causes[signal]) return [];
  if (!sent) return ["who sent it is not known any more: rt's events do not go back so far"];
  return ["rt did not send it: another process did, of the host or of the container"];
}

function restarts({ circumstances, policy, state, sent, isStopped }: EndFacts): string[] {
  const count = circumstances.restarts ?? 0;
  const times = count === 1 ? "once" : `${count} times`;
  const { name, retries } = policy;
  if (name === "no") return [];
  const limit = name === "on-failure" && retries > 0 ? `:${retries}` : "";
  const said = `its restart policy is ${name}${limit}`;
  if (state.status !== "exited") return count > 0 ? [`${said}: it was started again ${times}`] : [];
  // What was told it as its policy was just starting it came before that start.
  if (isStopped || sent?.isEnd)
    return [`${said}, and it stays down because it was told to end: rt start begins anew`];
  if (name === "on-failure" && state.exitCode === 0) return [`${said}, and this was no failure`];
  if (limit && count >= retries) return [`${said}: it was started again ${times}, and that was the last`];
  return [`${said}${count > 0 ? `: it was started again ${times}` : ""}, and it is down all the same`];
}

function health(health: Health | undefined): string[] {
  // Of one that is over the status says nothing.
  if (!health || health.FailingStreak === 0) return [];
  const { Status, FailingStreak, Log } = health;
  const last = Log.at(-1);
  const output = last?.Output.trim().slice(0, 200);
  const said = last ? `, the last with status ${last.ExitCode}${output && `: ${output}`}` : "";
  return [`its health check says ${Status}: ${FailingStreak} failed in a row${said}`];
}

const refusalsShown = 10;
const protocols: Readonly<Record<number, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };

function refusals(refused: Refused): string[] {
  if (refused.length === 0) return [];
  const texts = refused.map(({ address, protocol, port }) => {
    const where = port === 0 ? address : `${address.includes(":") ? `[${address}]` : address}:${port}`;
    return `${where} (${protocols[protocol] ?? `protocol ${protocol}`})`;
  });
  const some = texts.sort().slice(0, refusalsShown);
  const others = texts.length - some.length;
  const rest = others > 0 ? [`and ${others} ${others === 1 ? "other" : "others"}`] : [];
  return [`it may not go to ${[...some, ...rest].join(", ")}: --egress-allow does not name that`];
}

/** "no space left on device" */
export function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `errno ${errno}`;
}

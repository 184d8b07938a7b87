import { readFileSync } from "node:fs";
import { RtError } from "../../base/errors.ts";
import type { ProcessFacts } from "../../runtime/process-facts.ts";

/** A column of ps(1): its title, and what it shows. */
export interface Column {
  title: string;
  show: (facts: ProcessFacts) => string;
}

const page_bytes = 4096;
/** As long as ps shows a user's name, where nobody says. */
const userWidth = 8;

/** What `-o` names, with procps's titles. */
const fields: Readonly<Record<string, Column>> = {
  ...each("args command", "COMMAND", command),
  c: { title: "C", show: (facts) => String(Math.min(99, Math.floor(processorShare(facts)))) },
  cmd: { title: "CMD", show: command },
  comm: { title: "COMMAND", show: ({ name, state }) => (state === "Z" ? `${name} <defunct>` : name) },
  ...each("etime", "ELAPSED", (facts) => elapsed(age_s(facts))),
  etimes: { title: "ELAPSED", show: (facts) => String(age_s(facts)) },
  ...each("gid egid", "GID", ({ gid }) => String(gid)),
  ...each("group egroup", "GROUP", ({ gid }) => nameOf("/etc/group", gid)),
  lstart: { title: "STARTED", show: ({ started_s }) => longStart(new Date(started_s * 1000)) },
  ...each("ni nice", "NI", ({ nice }) => String(nice)),
  ...each("nlwp thcount", "NLWP", ({ threads }) => String(threads)),
  ...each("pcpu %cpu", "%CPU", (facts) => processorShare(facts).toFixed(1)),
  ...each("pgid pgrp", "PGID", ({ group }) => String(group)),
  ...each("pid tgid", "PID", ({ pid }) => String(pid)),
  ...each("pmem %mem", "%MEM", (facts) => memoryShare(facts).toFixed(1)),
  ppid: { title: "PPID", show: ({ parent }) => String(parent) },
  pri: { title: "PRI", show: ({ priority }) => String(39 - priority) },
  psr: { title: "PSR", show: ({ processor }) => String(processor) },
  ...each("rss rssize rsz", "RSS", ({ resident_kb }) => String(resident_kb)),
  ...each("s state", "S", ({ state }) => state),
  ...each("sid sess session", "SID", ({ session }) => String(session)),
  ...each("stat", "STAT", stat),
  ...each("stime start_time", "STIME", startTime),
  sz: { title: "SZ", show: ({ virtual_bytes }) => String(Math.floor(virtual_bytes / page_bytes)) },
  ...each("time cputime", "TIME", ({ processor_s }) => longTime(processor_s)),
  ...each("tt tty", "TT", terminal),
  tname: { title: "TTY", show: terminal },
  ...each("uid euid", "UID", ({ uid }) => String(uid)),
  ...each("user euser uname", "USER", (facts) => user(facts)),
  ...each("vsz vsize", "VSZ", ({ virtual_bytes }) => String(Math.floor(virtual_bytes / 1024))),
};

function each(names: string, title: string, show: Column["show"]): Record<string, Column> {
  return Object.fromEntries(names.split(" ").map((name) => [name, { title, show }]));
}

const full: readonly Column[] = [
  { title: "UID", show: (facts) => user(facts) },
  ...["pid", "ppid", "c", "stime", "tname", "time", "cmd"].map((name) => fields[name]!),
];

const bsd: readonly Column[] = [
  ...["user", "pid", "pcpu", "pmem", "vsz", "rss", "tname", "stat"].map((name) => fields[name]!),
  { title: "START", show: startTime },
  { title: "TIME", show: ({ processor_s }) => shortTime(processor_s) },
  fields.args!,
];

const short: readonly Column[] = ["pid", "tname", "time", "cmd"].map((name) => fields[name]!);

/**
 * The columns that the words of a ps command line ask for: `-ef` (Docker's own, for none), `aux`, and `-o FIELD[:WIDTH][=TITLE],…`;
 * titles that are empty with `--no-headers`. Which processes are shown they do not say: those of the container.
 * @throws RtError invalid-argument | unsupported
 */
export function psColumns(words: readonly string[]): readonly Column[] {
  let columns: readonly Column[] | undefined;
  let titled = true;
  const chosen: Column[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const output = /^-?[aAexdw]*o(.*)$/.exec(word) ?? /^--format(?:=(.*))?$/.exec(word);
    if (output) chosen.push(...chosenColumns(output[1] || (words[++at] ?? "")));
    else if (/^--no-?head(er|ers|ing|ings)$/.test(word)) titled = false;
    else if (/^-[aAedwF]*[fF][aAedwF]*$/.test(word)) columns = full;
    else if (/^-?[axw]*u[axw]*$/.test(word)) columns = bsd;
    else if (/^-[aAedw]+$|^[axw]+$/.test(word)) columns ??= short;
    else
      throw new RtError(
        "unsupported",
        `top does not know the ps option ${JSON.stringify(word)}: there are -ef, aux and -o FIELD,…`,
        { exitCode: 1 },
      );
  }
  const shown = chosen.length > 0 ? chosen : (columns ?? full);
  return titled ? shown : shown.map((column) => ({ ...column, title: "" }));
}

function chosenColumns(list: string): Column[] {
  // A title may have commas in it: it goes to the end of the word.
  const [names = "", ...title] = list.split("=");
  const columns = names
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(column);
  if (columns.length === 0) throw unknownField(list);
  if (title.length > 0) columns.push({ ...columns.pop()!, title: title.join("=") });
  return columns;
}

function column(word: string): Column {
  const [, name = "", width] = /^(.*?)(?::(\d{1,3}))?$/.exec(word.toLowerCase()) ?? [];
  const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (!found) throw unknownField(word);
  // Columns are as wide as what is in them: a width says only how much of a user's name there is.
  if (found.title !== "USER" || !width) return found;
  return { ...found, show: (facts) => user(facts, Number(width)) };
}

function unknownField(name: string): RtError {
  const some = "pid, ppid, user, pcpu, pmem, vsz, rss, tty, stat, etime, time, args";
  const text = `unknown field ${JSON.stringify(name)} of top -o: there are those of ps, as ${some}`;
  return new RtError("invalid-argument", text, { exitCode: 1 });
}

function command({ words, name, state }: ProcessFacts): string {
  if (words.length > 0) return words.join(" ");
  return state === "Z" ? `[${name}] <defunct>` : `[${name}]`;
}

function age_s({ started_s }: ProcessFacts): number {
  return Math.max(0, Math.floor(Date.now() / 1000 - started_s));
}

function processorShare(facts: ProcessFacts): number {
  return (100 * facts.processor_s) / Math.max(1, age_s(facts));
}

function memoryShare({ resident_kb }: ProcessFacts): number {
  const total_kb = Number(/^MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "latin1"))?.[1] ?? 0);
  return total_kb > 0 ? (resident_kb * 100) / total_kb : 0;
}

function stat(facts: ProcessFacts): string {
  const { state, nice, locked_kb, session, pid, threads, foregroundGroup, group } = facts;
  const marks = [nice < 0 && "<", nice > 0 && "N", locked_kb > 0 && "L", session === pid && "s"];
  const more = [threads > 1 && "l", foregroundGroup === group && "+"];
  return [state, ...marks, ...more].filter(Boolean).join("");
}

/** Today the time of day, this year the day, else the year. */
function startTime({ started_s }: ProcessFacts): string {
  const [started, now] = [new Date(started_s * 1000), new Date()];
  if (started.toDateString() === now.toDateString())
    return `${two(started.getHours())}:${two(started.getMinutes())}`;
  if (started.getFullYear() !== now.getFullYear()) return String(started.getFullYear());
  return `${started.toDateString().slice(4, 7)}${two(started.getDate())}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** [D-]HH:MM:SS */
function longTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86400);
  const rest = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60].map(two).join(":");
  return days > 0 ? `${days}-${rest}` : rest;
}

/** M:SS */
function shortTime(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${two(Math.floor(seconds) % 60)}`;
}

/** [[D-]HH:]MM:SS */
function elapsed(seconds: number): string {
  return longTime(seconds).replace(/^00:/, "");
}

/** As the kernel packs its number: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 7. */
function terminal({ terminal: number }: ProcessFacts): string {
  if (number === 0) return "?";
  const [major, minor] = [(number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00)];
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  return major === 5 && minor === 1 ? "console" : "?";
}

/** As asctime(3): Sun Nov 29 09:13:20 2026. */
function longStart(started: Date): string {
  const [date, day] = [started.toDateString(), String(started.getDate()).padStart(2, " ")];
  const time = [started.getHours(), started.getMinutes(), started.getSeconds()].map(two).join(":");
  return `${date.slice(0, 7)} ${day} ${time} ${started.getFullYear()}`;
}

/** The host's name of a user; a long one is cut as ps does. */
function user({ uid }: ProcessFacts, width = userWidth): string {
  const name = nameOf("/etc/passwd", uid);
  return name.length > width && width > 0 ? `${name.slice(0, width - 1)}+` : name;
}

function nameOf(file: string, id: number): string {
  try {
    const line = readFileSync(file, "utf8")
      .split("\n")
      .find((each) => each.split(":")[2] === String(id));
    return line?.split(":")[0] || String(id);
  } catch {
    return String(id);
  }
}

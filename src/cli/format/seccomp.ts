import { visible } from "../../base/visible.ts";
import { errnoWord } from "../../settings/errno.ts";
import type { SeccompProfile, SeccompRule } from "../../settings/seccomp-profile.ts";

type Argument = NonNullable<SeccompRule["args"]>[number];

const width = 96;

/** For people: what is said of which calls, and when; rules that say the same are one paragraph. */
export function seccompText(source: string, here: SeccompProfile, unknown: readonly string[]): string {
  if (source === "unconfined") return "unconfined: every system call is let through\n";
  const { defaultAction, defaultErrnoRet, architectures = [], flags = [] } = here;
  const paragraphs = new Map<string, string[]>();
  for (const rule of here.syscalls) {
    const heading = headingOf(rule);
    const names = paragraphs.get(heading) ?? [];
    names.push(...rule.names.filter((name) => !names.includes(name) && !unknown.includes(name)));
    if (names.length > 0) paragraphs.set(heading, names);
  }
  if (unknown.length > 0) paragraphs.set("nothing, as no system call here has that name", [...unknown]);
  return [
    `Profile:       ${source === "builtin" ? "builtin" : "one of its own"}`,
    `Architectures: ${architectures.map(plain).join(" ")}; a call of another ends the process`,
    `Other calls:   ${answer(defaultAction, defaultErrnoRet)}`,
    ...(flags.length > 0 ? [`Flags:         ${flags.map(plain).join(" ")}`] : []),
    ...[...paragraphs].map(([heading, names]) => `\n${heading}:\n${wrapped(names.toSorted())}`),
    "",
  ].join("\n");
}

function headingOf({ action, errnoRet, args = [], includes, excludes }: SeccompRule): string {
  const conditions = [
    ...(args.length > 0 ? [`where ${args.map(condition).join(several(args) ? " or " : " and ")}`] : []),
    ...(includes?.caps ? [`with ${includes.caps.join(" and ")}`] : []),
    ...(excludes?.caps ? [`without ${excludes.caps.join(" and ")}`] : []),
  ];
  return [answer(action, errnoRet), ...conditions].join(", ");
}

/** Conditions on one argument are rules of their own each (libseccomp's meaning). */
function several(args: readonly Argument[]): boolean {
  return new Set(args.map(({ index }) => index)).size < args.length;
}

const operators: Readonly<Record<string, string>> = {
  NE: "!=",
  LT: "<",
  LE: "<=",
  EQ: "=",
  GE: ">=",
  GT: ">",
};

function condition({ index, value, valueTwo = 0, op }: Argument): string {
  const argument = `argument ${index + 1}`;
  const sign = operators[plain(op)];
  return sign === undefined
    ? `${argument} & ${hex(value)} = ${hex(valueTwo)}`
    : `${argument} ${sign} ${hex(value)}`;
}

/** Flags are read as flags. */
function hex(value: number | string): string {
  return BigInt(value) < 4096n ? String(value) : `0x${BigInt(value).toString(16)}`;
}

function answer(action: string, errno = 1): string {
  const name = plain(action);
  if (name === "ERRNO") return errno === 0 ? "nothing done, and 0" : errnoWord(errno);
  return name === "TRACE" ? `trace ${errno}` : name.toLowerCase().replace("_", " the ");
}

/** "SCMP_ARCH_X86_64" is X86_64. */
function plain(word: string): string {
  return word.replace(/^(SCMP_(ACT|ARCH|CMP)|SECCOMP_FILTER_FLAG)_/, "");
}

function wrapped(names: readonly string[]): string {
  const lines = [""];
  for (const name of names.map(visible)) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + name.length + 3 > width) lines.push(name);
    else lines[lines.length - 1] = line === "" ? name : `${line} ${name}`;
  }
  return lines.map((line) => `  ${line}`).join("\n");
}

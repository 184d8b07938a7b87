import { RtError } from "./errors.ts";

/** Linux signal numbers (generic, as on x86-64 and arm64), signal(7). */
const numbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
};
const aliases: Readonly<Record<string, string>> = { IOT: "ABRT", CLD: "CHLD", POLL: "IO", UNUSED: "SYS" };
/** As glibc and Docker count them: 32 and 33 belong to the C library's threads. */
const rtMin = 34;
const rtMax = 64;

export interface Signal {
  number: number;
  /** "SIGTERM", "SIGRTMIN+3"; the number as text where there is no name. */
  name: string;
}

/**
 * A signal as people and images write it: "TERM", "sigterm", "15", "RTMIN+3", "SIGRTMAX-1".
 * @throws RtError invalid-argument
 */
export function parseSignal(text: string): Signal {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : numberOf(text.toUpperCase().replace(/^SIG/, ""));
  if (number === undefined || number < 1 || number > rtMax) {
    const shown = JSON.stringify(text.slice(0, 40));
    throw new RtError(
      "invalid-argument",
      `invalid signal ${shown}: want a name such as TERM or a number from 1 to 64`,
    );
  }
  return { number, name: signalName(number) };
}

function numberOf(name: string): number | undefined {
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime) {
    const offset = Number(`${realTime[2] ?? "+"}${realTime[3] ?? 0}`);
    const number = (realTime[1] === "MIN" ? rtMin : rtMax) + offset;
    return number >= rtMin ? number : undefined;
  }
  const plain = Object.hasOwn(aliases, name) ? aliases[name]! : name;
  return Object.hasOwn(numbers, plain) ? numbers[plain] : undefined;
}

function signalName(number: number): string {
  for (const [name, value] of Object.entries(numbers)) if (value === number) return `SIG${name}`;
  if (number === rtMin) return "SIGRTMIN";
  if (number === rtMax) return "SIGRTMAX";
  return number > rtMin && number < rtMax ? `SIGRTMIN+${number - rtMin}` : String(number);
}

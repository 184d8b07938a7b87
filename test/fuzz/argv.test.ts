import { expect, test } from "bun:test";
import { environmentOf } from "../../src/base/environment.ts";
import { RtError } from "../../src/base/errors.ts";
import { parseSignal } from "../../src/base/signals.ts";
import RunCommand from "../../src/cli/container/run.ts";
import { runOptions } from "../../src/cli/container/run-options.ts";
import { Template } from "../../src/cli/format/template.ts";
import { grammarOf } from "../../src/cli/grammar/grammar.ts";
import { readCommand } from "../../src/cli/grammar/read.ts";
import { messageOf } from "../../src/cli/output/report.ts";
import { parseKeyValueFile } from "../../src/cli/parse/env.ts";
import { parseMounts } from "../../src/cli/parse/mounts.ts";
import { parseSize } from "../../src/cli/parse/size.ts";
import { parseAddHost } from "../../src/settings/address.ts";
import { parseDevice } from "../../src/settings/device.ts";
import { parseUlimit } from "../../src/settings/ulimit.ts";
import { capture } from "../unit/cli/capture.ts";

/** Whatever is typed: an answer, or an RtError of one line. Set RT_FUZZ_SEED to repeat a run. */
const seed = Number(process.env.RT_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const rounds = Number(process.env.RT_FUZZ_ROUNDS ?? 3000);

/** mulberry32 */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const next = random(seed);
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

const flags = grammarOf(new RunCommand()).options.flatMap(({ names }) => names);
const crumbs = [
  ..."-=:/,.\"'\\{}()|$ \t\n\0\u001b\u00e9\u{1f600}%*0129amkgMGZz",
  ...[
    "--",
    "src",
    "dst=",
    "type=bind",
    "/a",
    "nofile=",
    "1024",
    "rw",
    "ro",
    "CAP_",
    "ALL",
    "::1",
    "127.0.0.1",
    "SIG",
  ],
  ...["RTMIN+", "=true", "false", "{{", "}}", "range", "end", "if", ".A", "json", "printf", "%s", "\ud800"],
];

function text(): string {
  return Array.from({ length: Math.floor(next() * 8) }, () => pick(crumbs)).join("");
}

function word(): string {
  const choice = next();
  if (choice < 0.5) return pick(flags) + (next() < 0.4 ? `=${text()}` : "");
  if (choice < 0.6) return `-${pick([..."itevlwuhqDZ"])}${text()}`;
  return text();
}

function survives(input: unknown, action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (error instanceof RtError && !/\p{Cc}/u.test(messageOf(error))) return;
    throw new Error(`seed ${seed}, input ${JSON.stringify(input)}`, { cause: error });
  }
}

test(`rt run takes any argv (seed ${seed})`, () => {
  for (let round = 0; round < rounds; round++) {
    const argv = Array.from({ length: Math.floor(next() * 7) }, word);
    survives(argv, () => {
      const command = readCommand(RunCommand, argv, { path: "run", context: capture() });
      if (command === undefined) return;
      const { settings } = runOptions(command, environmentOf({ HOME: "/root" }), undefined);
      // A value may hold newlines; a name may not, and nothing a NUL.
      expect(settings.env.every((entry) => /^[^\n\0=]+(=[^\0]*)?$/.test(entry))).toBe(true);
      expect(settings.mounts.every(({ destination }) => /^\/[^\0\n]+$/.test(destination))).toBe(true);
    });
  }
});

test(`each parser takes any text (seed ${seed})`, () => {
  const parsers: ((input: string) => unknown)[] = [
    (input) => parseMounts([input], [], []),
    (input) => parseMounts([], [input], []),
    (input) => parseMounts([], [], [input]),
    parseUlimit,
    parseDevice,
    parseSize,
    parseSignal,
    parseAddHost,
    (input) => parseKeyValueFile(input, "--env-file x", environmentOf({})),
    (input) => new Template(input).render({ A: { b: [1, "x", null] }, Labels: {} }),
  ];
  for (let round = 0; round < rounds; round++) {
    const input = text() + text();
    for (const parser of parsers) survives(input, () => parser(input));
  }
});

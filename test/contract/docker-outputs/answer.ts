/** What a command answered, with what differs from run to run taken out of it. */
export interface Answer {
  stdout: unknown;
  stderr: string;
  code: number;
}

/** Of an answer as it was printed. */
export function answerOf(
  printed: { stdout: string; stderr: string; code: number },
  { sorted = false } = {},
): Answer {
  const { code } = printed;
  return {
    stdout: document(printed.stdout) ?? lines(printed.stdout, sorted),
    stderr: plain(printed.stderr),
    code,
  };
}

/** JSON, whole or a line each, is compared by field. */
function document(text: string): unknown {
  const values = [];
  for (const part of [[text], text.trim().split("\n")]) {
    try {
      values.length = 0;
      for (const each of part) {
        const value: unknown = JSON.parse(each);
        if (typeof value !== "object") return undefined;
        values.push(fields(value));
      }
      return values;
    } catch {
      // It is none, or not of this kind.
    }
  }
  return undefined;
}

function fields(value: unknown): unknown {
  if (typeof value === "string") return plain(value);
  if (Array.isArray(value)) return value.map(fields);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      /^(Pid|time|timeNano)$/.test(key) && each !== 0 ? `<${key}>` : fields(each),
    ]),
  );
}

function lines(text: string, sorted: boolean): string[] {
  const all = text.split("\n").map(plain);
  return sorted ? all.sort() : all;
}

const replacements: [RegExp, string][] = [
  [/\b[0-9a-f]{64}\b/g, "<ID>"],
  [/\b[0-9a-f]{12}\b/g, "<SHORT>"],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, "<TIME>"],
  [
    /\b(Less than a second|About a minute|\d+ (seconds?|minutes?|hours|days|weeks|months|years)) ago\b/g,
    "<AGO>",
  ],
  [/\bUp (Less than a second|About a minute|\d+ (seconds?|minutes?))/g, "Up <FOR>"],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC/g, "<TIME>"],
  // `top`: the numbers of processes, and since when they run.
  [/^(\w+ +)\d+ +\d+ +\d+ +\d\d:\d\d /, "$1<PID> <PID> <C> <STIME> "],
  [/^\d+ +(?=\w+$)/, "<PID> "],
  // Where each of them keeps its things.
  [/"?\/[\w./-]*(?=\/volumes\/\w+\/_data|\/(?:<ID>|containers\/<ID>)\/)/g, "<PLACE>"],
  // Columns are as wide as what is in them.
  [/ {2,}/g, "  "],
];

function plain(text: string): string {
  return replacements.reduce((changed, [pattern, put]) => changed.replace(pattern, put), text);
}

/** Where two answers differ: "code", "stderr", "stdout", or of documents the paths of fields, with what each has. */
export function differences(docker: Answer, rt: Answer): Map<string, [unknown, unknown]> {
  const found = new Map<string, [unknown, unknown]>();
  if (docker.code !== rt.code) found.set("code", [docker.code, rt.code]);
  const said = [docker, rt].map(({ stderr }) => message(stderr));
  if (said[0] !== said[1]) found.set("stderr", [said[0], said[1]]);
  compare("stdout", docker.stdout, rt.stdout, found);
  return found;
}

/** Whoever tells it is named in front. Of the usage that docker shows after some of its errors ours says nothing. */
function message(stderr: string): string {
  const told = stderr.split("\n\n")[0]!.trim().split("\n");
  return told
    .map((line) => line.replace(/^(rt: |docker: |Error: )*(Error response from daemon: )?/, ""))
    .join("\n");
}

function compare(path: string, a: unknown, b: unknown, found: Map<string, [unknown, unknown]>): void {
  if (isObject(a) && isObject(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      compare(`${path}.${key}`, a[key], b[key], found);
  } else if (JSON.stringify(a) !== JSON.stringify(b)) found.set(path, [a, b]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (Array.isArray(value)) return value.some((each) => typeof each === "object" && each !== null);
  return typeof value === "object" && value !== null;
}

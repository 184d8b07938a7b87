/**
 * test/root/attacks/README.md says which test shows that rt survives which attack. Here it is held to that: each test that it
 * names is there, each attack has one by `rt run` and one by `rt exec` or says why not, a race has one that goes on for longer,
 * and no file of attacks is left out.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { hasTest, testTitles } from "./support/titles.ts";

const attacks = resolve(import.meta.dir, "root/attacks");
const table = join(attacks, "README.md");

interface Line {
  /** By what it is tried: `run`, `exec`, `race`, … */
  by: string;
  /** A test, or the reason why there is none. */
  file?: string;
  name: string;
}

/** Rows of `| attack | by | test |`; one without an attack goes on with the one above. */
function readTable(text: string): Map<string, Line[]> {
  const rows = new Map<string, Line[]>();
  let lines: Line[] = [];
  for (const [, attack = "", by = "", cell = ""] of text.matchAll(
    /^\|([^|]*)\|([^|]*)\|((?:[^|\n]|\\\|)*)\|$/gm,
  )) {
    if (/^[\s-]*$/.test(by) || by.trim() === "by") continue;
    if (attack.trim() !== "") {
      lines = [];
      rows.set(attack.trim(), lines);
    }
    const [, link, name] = /^\[[^\]]+\]\(([^)]+)\): (.*)$/s.exec(cell.trim()) ?? [];
    lines.push({
      by: by.trim(),
      ...(link && { file: join(attacks, link) }),
      name: (name ?? cell.trim()).replaceAll("\\|", "|"),
    });
  }
  return rows;
}

const rows = readTable(readFileSync(table, "utf8"));
const lines = [...rows].flatMap(([attack, own]) => own.map((line) => ({ attack, ...line })));
const sources = new Map<string, string>();

function sourceOf(file: string): string {
  const source = sources.get(file) ?? readFileSync(file, "utf8");
  sources.set(file, source);
  return source;
}

test("each test that the table of attacks names is there", () => {
  const absent = lines
    .filter(({ file, name }) => file !== undefined && !hasTest(sourceOf(file), name))
    .map(({ file, name }) => `${relative(attacks, file!)}: ${name}`);
  expect(absent).toEqual([]);
  expect(lines.length).toBeGreaterThan(150);
});

test("each attack is tried by run and by exec, or says why not, and each race soaks", () => {
  const incomplete = [...rows].flatMap(([attack, own]) => {
    const ways = new Set(own.map(({ by }) => by));
    const wanted = ["run", "exec", ...(ways.has("race") ? ["soak"] : [])];
    return wanted.filter((way) => !ways.has(way)).map((way) => `${attack}: ${way}`);
  });
  expect(incomplete).toEqual([]);
  // A line without a test is a reason, and never the only one.
  const bare = [...rows].filter(([, own]) => own.every(({ file }) => file === undefined));
  expect(bare).toEqual([]);
});

test("what the table says to soak does so with RT_SOAK", () => {
  const idle = lines
    .filter(
      ({ by, file }) => by === "soak" && file !== undefined && !/support\/soak\.ts"/.test(sourceOf(file)),
    )
    .map(({ file, name }) => `${relative(attacks, file!)}: ${name}`);
  expect(idle).toEqual([]);
});

test("no file of attacks is left out of the table", () => {
  const named = new Set(lines.flatMap(({ file }) => (file && dirname(file) === attacks ? [file] : [])));
  const files = [...new Bun.Glob("*.test.ts").scanSync(attacks)].map((name) => join(attacks, name));
  expect(files.filter((file) => !named.has(file))).toEqual([]);
});

test("a name that no file has is seen, and so is one in a template", () => {
  const source =
    'test("a plain one", f); gated.test(`a $<x ? `b` : {}> of $<kind>`, f); const kinds = ["fifo"];'
      .replaceAll("$<", "$" + "{")
      .replaceAll(">", "}");
  expect(testTitles(source)).toEqual(["a plain one", "a … of …"]);
  const names = ["a plain one", "a … of …", "a … of fifo", "a … of device", "a plain"];
  expect(names.map((name) => hasTest(source, name))).toEqual([true, true, true, false, false]);
});

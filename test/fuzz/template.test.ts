import { expect, test } from "bun:test";
import { RtError } from "../../src/base/errors.ts";
import { Template } from "../../src/cli/format/template.ts";
import { seeded } from "./mutate.ts";

const evil = "e\u001b[31m\u0007\u009b\u202e\u200b\u2028\ud800\u{e0041}\r\nfake\tz";
const data = {
  Name: evil,
  Number: 7,
  List: [evil, "b", [evil]],
  Labels: { [evil]: evil, a: "b" },
  State: { Health: null, Text: `=${evil}=${evil}` },
  Label: (key: string) => evil + key,
};

const values = [
  ".Name",
  ".List",
  ".Labels",
  ".State",
  ".State.Text",
  ".",
  "$",
  "(index .List 0)",
  '(index .Labels "a")',
  '(.Label "x")',
  '"own"',
  "`own`",
  "3",
  "nil",
];
const calls = [
  ...["json V", "print V V", "println V", 'printf "%s|%q|%v|%x" V V V V', "html V", "urlquery V", "len V"],
  ...[
    "upper V",
    "lower V",
    "title V",
    "truncate V 5",
    "pad V 1 2",
    "slice V 1 3",
    'split V "="',
    'join V ", "',
  ],
  ...['join (split V "=") V', "printf V V", "and V V", "or V V", "eq V V", "index V 0", "not V", "V"],
];

/** An action of one to three functions, piped or nested. */
function action(random: () => number, depth = 0): string {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!;
  const value = () => (depth < 2 && random() < 0.3 ? `(${action(random, depth + 1)})` : pick(values));
  const call = pick(calls).replace(/V/g, value);
  return depth === 0 && random() < 0.3
    ? `${call} | ${pick(["json", "upper", "print", "html", "len"])}`
    : call;
}

test("whatever a template does with hostile values, a terminal acts upon nothing of them", () => {
  const random = seeded(77);
  let rendered = 0;
  for (let i = 0; i < 20_000; i++) {
    const inside = action(random);
    const kind = Math.floor(random() * 4);
    const template = [
      `{{${inside}}}`,
      `{{range $k, $v := .Labels}}{{$k}}{{${inside.replaceAll("$", "$v")}}}{{end}}`,
      `{{with .List}}{{range .}}{{.}}{{end}}{{end}}{{${inside}}}`,
      `{{$v := ${inside}}}{{$v}}{{if $v}}{{print $v}}{{end}}`,
    ][kind]!;
    let output: string;
    try {
      output = new Template(template).render(data);
    } catch (error) {
      if (error instanceof RtError) continue;
      throw new Error(template, { cause: error });
    }
    rendered++;
    const rest = output.replaceAll("\n", "");
    expect([template, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(rest)]).toEqual([template, false]);
    if (!template.includes("println")) expect([template, output.includes("\n")]).toEqual([template, false]);
  }
  expect(rendered).toBeGreaterThan(2000);
});

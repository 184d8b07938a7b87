/** `rt ps`: which containers, and in what form. */
import { expect } from "bun:test";
import { containerTests, image, oneLine, type Running, running } from "./world.ts";

const { test, beforeAll, host } = containerTests([], { keeps: true });
let up: Running;

beforeAll(async () => {
  await host().ok(["run", "--name", "first", "-l", "tier=one", "-l", "both", image, "true"]);
  await host().rt(["run", "--name", "second", "-l", "tier=two", "-l", "both", image, "sh", "-c", "exit 3"]);
  await host().ok(["run", "--name", "hello", "embed:hello", "ids"]);
  up = await running(
    host(),
    ["sh", "-c", 'echo "quoted"; sleep 1000'],
    ["-l", "tier=up", "-v", "volume-of-up:/data"],
  );
});

function ps(...args: string[]): Promise<string> {
  return host().ok(["ps", ...args]);
}

async function names(...args: string[]): Promise<string[]> {
  return (await ps(...args, "--format", "{{.Names}}")).split("\n").filter(Boolean);
}

test("the table, with Docker's columns", async () => {
  const [heading, row, ...more] = (await ps()).split("\n");
  expect(heading).toMatch(/^CONTAINER ID {3}IMAGE {2,}COMMAND {2,}CREATED {2,}STATUS {2,}PORTS {2,}NAMES$/);
  expect(row).toStartWith(`${up.id.slice(0, 12)}   ${image}   "sh -c 'echo `);
  expect(row).toMatch(/ Up /);
  expect(row!.trimEnd()).toEndWith(up.name);
  expect(more).toEqual([""]);
});

test("-a, newest first; ls, list and ps are one", async () => {
  expect(await names()).toEqual([up.name]);
  expect(await names("-a")).toEqual([up.name, "hello", "second", "first"]);
  for (const words of [
    ["container", "ls"],
    ["container", "list"],
    ["container", "ps"],
  ])
    expect(await host().ok([...words, "-aq"])).toBe(await ps("-aq"));
});

test("-q, --no-trunc, -n, -l", async () => {
  expect(await ps("-q")).toBe(`${up.id.slice(0, 12)}\n`);
  expect(await ps("-q", "--no-trunc")).toBe(`${up.id}\n`);
  expect((await ps("-aq")).trim().split("\n")).toHaveLength(4);
  expect(await names("-n", "2")).toEqual([up.name, "hello"]);
  expect(await names("-l")).toEqual([up.name]);
});

test("an image whose name went to another is shown by its id, as docker does", async () => {
  const shown = async (...args: string[]) =>
    (await ps("-a", "-f", "name=^of-old$", "--format", "{{.Image}}", ...args)).trim();
  await host().ok(["commit", "first", "moves"]);
  const id = (await host().ok(["inspect", "-f", "{{.Id}}", "moves"])).trim();
  await host().ok(["create", "--name", "of-old", "moves"]);
  try {
    expect(await shown()).toBe("moves");
    await host().ok(["commit", "second", "moves"]);
    expect(await shown()).toBe(id.slice(7, 19));
    expect(await shown("--no-trunc")).toBe(id);
  } finally {
    await host().ok(["rm", "of-old"]);
    await host().ok(["rmi", "-f", "moves", id]);
  }
});

test("what ended says how, what runs since when", async () => {
  const status = async (name: string) =>
    (await ps("-a", "-f", `name=^${name}$`, "--format", "{{.State}} {{.Status}}")).trim();
  expect(await status("first")).toMatch(/^exited Exited \(0\) .* ago$/);
  expect(await status("second")).toMatch(/^exited Exited \(3\) .* ago$/);
  expect(await status(up.name)).toMatch(/^running Up /);
});

test("--format json: a line for each, with Docker's fields", async () => {
  const rows = (await ps("-a", "--no-trunc", "--format", "json"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows).toHaveLength(4);
  const row = rows.find(({ Names }) => Names === up.name);
  expect(row).toMatchObject({
    ID: up.id,
    Image: image,
    Command: '"sh -c \'echo \\"quoted\\"; sleep 1000\'"',
    State: "running",
    Labels: "tier=up",
    Mounts: "volume-of-up",
    LocalVolumes: "1",
    Networks: "bridge",
    Ports: "",
  });
  expect(row.CreatedAt).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \w+$/);
  expect(row.RunningFor).toEndWith(" ago");
});

const formats: [string, RegExp][] = [
  ["{{.ID}} {{.Names}}", /^[0-9a-f]{12} first$/m],
  ["table {{.Names}}\t{{.Image}}", /^NAMES +IMAGE\n[\s\S]*^first +localhost\/layout$/m],
  ["table {{.Names}}\\t{{.State}}", /^NAMES +STATE\n/],
  ['{{.Names}}={{.Label "tier"}}', /^second=two$/m],
  ["{{json .Names}}", /^"first"$/m],
  ["{{.Names | upper}}", /^FIRST$/m],
  ['{{if eq .State "running"}}{{.Names}}{{end}}', /^test-/m],
  ["{{.Names}}:{{.Command}}", /^first:"true"$/m],
];

for (const [format, expected] of formats) {
  test(`--format ${JSON.stringify(format)}`, async () => {
    expect(await ps("-a", "--format", format)).toMatch(expected);
  });
}

test("an empty format is none", async () => {
  expect((await ps("-a", "--format", "")).split("\n")[0]).toMatch(/^CONTAINER ID {3}IMAGE /);
  expect(await ps("-q", "--format=")).toBe(`${up.id.slice(0, 12)}\n`);
  expect(JSON.parse(await host().ok(["inspect", "-f", "", up.name]))).toHaveLength(1);
  for (const verb of ["info", "version"]) expect(await host().ok([verb, "-f", ""])).toContain("Version:");
});

test("filters: values of one key are alternatives, keys and labels must all hold", async () => {
  const rows: [string[], string[]][] = [
    [["status=exited"], ["hello", "second", "first"]],
    [["status=running"], [up.name]],
    [
      ["status=running", "status=exited"],
      [up.name, "hello", "second", "first"],
    ],
    [["name=sec"], ["second"]],
    [
      ["name=^first$", "name=hello"],
      ["hello", "first"],
    ],
    [["name=/second"], ["second"]],
    [["label=both"], ["second", "first"]],
    [["label=tier=one"], ["first"]],
    [["label=both", "label=tier=two"], ["second"]],
    [["label=nosuch"], []],
    [["exited=3"], ["second"]],
    [["ancestor=embed:hello"], ["hello"]],
    [[`ancestor=${image}`], [up.name, "second", "first"]],
    [["ancestor=nosuch"], []],
    [["status=paused"], []],
    [["before=second"], ["first"]],
    [["since=second"], [up.name, "hello"]],
    [[`id=${up.id.slice(0, 10)}`], [up.name]],
    [["status=exited", "name=first"], ["first"]],
    [["volume=volume-of-up"], [up.name]],
    [["volume=/data"], [up.name]],
    [["volume=volume-of"], []],
  ];
  for (const [filters, expected] of rows) {
    expect([filters, await names("-a", ...filters.flatMap((filter) => ["-f", filter]))]).toEqual([
      filters,
      expected,
    ]);
  }
});

test("bad filters and formats: one line", async () => {
  const rows: [string[], RegExp][] = [
    [["-f", "nosuch=x"], /nosuch/],
    [["-f", "status=bogus"], /"status=bogus": want one of created, /],
    [["-f", "status=running", "-f", "status="], /"status=": want one of created, /],
    [["-f", "exited=x"], /"exited=x": want a number/],
    [["-f", "novalue"], /KEY=VALUE/],
    [["-f", "name=["], /\[/],
    [["-f", "before=nosuch"], /No such container: nosuch/],
    [["--format", "{{.Nosuch}}"], /Nosuch/],
    [["--format", "{{"], /\{\{|template/],
    [["-n", "x"], /--last/],
    [["surplus"], /surplus/],
  ];
  for (const [args, line] of rows) {
    const { stderr, stdout, code } = await host().rt(["ps", "-a", ...args]);
    expect(oneLine(stderr)).toMatch(line);
    expect([args, stdout]).toEqual([args, ""]);
    expect(code).toBeGreaterThan(0);
  }
});

test("a container whose command would write to the terminal does not", async () => {
  await host().ok(["run", "--name", "escape", image, "true", "\x1b[31m\x07"]);
  const output = await ps("-a", "--no-trunc");
  expect(output).not.toContain("\x1b");
  await host().ok(["rm", "escape"]);
});

test("an empty host", async () => {
  const elsewhere = { env: { RT_ROOT: `${host().dir}/e-root`, RT_STATE: `${host().dir}/e-state` } };
  expect(await host().ok(["ps"], elsewhere)).toMatch(/^CONTAINER ID .*NAMES\n$/);
  expect(await host().ok(["ps", "-aq"], elsewhere)).toBe("");
  expect(await host().ok(["ps", "--format", "json"], elsewhere)).toBe("");
});

test("on a terminal no line is wider than that, unless it is asked for", async () => {
  await using one = await running(host(), ["sh", "-c", "sleep 1000 # with many words behind it"]);
  const drawn = async (...flags: string[]) => {
    await using terminal = host().pty(["ps", ...flags], { columns: 60, rows: 10 });
    expect(await terminal.exited).toBe(0);
    return terminal.screen.text.split("\r\n").filter(Boolean);
  };
  const lines = await drawn();
  expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(60);
  expect(lines[0]).toMatch(/^CONTAINER ID|^CONTAI…/);
  for (const flags of [
    ["--no-trunc"],
    ["--format", "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.Names}} {{.Status}} {{.CreatedAt}}"],
  ])
    expect(Math.max(...(await drawn(...flags)).map((line) => line.length))).toBeGreaterThan(60);
  expect(await host().ok(["ps"])).toContain(one.name);
});

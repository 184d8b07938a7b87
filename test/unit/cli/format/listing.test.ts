import { describe, expect, test } from "bun:test";
import { humanSize } from "../../../../src/base/human-size.ts";
import { containerListing, containersFormat, showsDetails } from "../../../../src/cli/format/containers.ts";
import { ellipsis, goTime } from "../../../../src/cli/format/human.ts";
import { imageListing, imagesFormat } from "../../../../src/cli/format/images.ts";
import { renderRows } from "../../../../src/cli/format/rows.ts";
import { type ContainerSummary, statusText } from "../../../../src/docker/container-summary.ts";
import { humanDuration } from "../../../../src/docker/time.ts";
import { digestOf } from "../../../../src/oci/digest.ts";

const now = Date.parse("2024-05-01T12:00:00Z");

function container(id: string, name: string, state: Partial<State>, args: string[]): ContainerSummary {
  const all = { status: "running", exitCode: 0, startedAt: "2024-05-01T11:55:01Z", finishedAt: "", ...state };
  return {
    id: id.repeat(64),
    name,
    image: "alpine:3.20",
    imageId: digestOf("x"),
    command: args.join(" "),
    created: "2024-05-01T11:54:59.123456789Z",
    state: all.status,
    ports: [],
    status: statusText(all, now),
    details: {
      labels: { b: "2", a: "1" },
      mounts: [],
      networkMode: "none",
      networks: ["none"],
      platform: "linux/amd64",
    },
  };
}

type State = Parameters<typeof statusText>[0];

const list = [
  container("a", "brave_ritchie", {}, ["sh", "-c", 'echo "hello" and a long line']),
  container("b", "web", { status: "exited", exitCode: 137, finishedAt: "2024-05-01T10:00:00Z" }, ["nginx"]),
  container("c", "new", { status: "created" }, ["evil\u001b[2J\n"]),
];
const listing = containerListing(list, true, now);

describe("ps", () => {
  test("the table", () => {
    // biome-ignore format: as a terminal shows it
    expect(renderRows(containersFormat(false), listing)).toBe([
      "CONTAINER ID   IMAGE         COMMAND                    CREATED         STATUS                     PORTS     NAMES",
      'aaaaaaaaaaaa   alpine:3.20   "sh -c echo \\"hello\\" …"   5 minutes ago   Up 4 minutes                         brave_ritchie',
      'bbbbbbbbbbbb   alpine:3.20   "nginx"                    5 minutes ago   Exited (137) 2 hours ago             web',
      'cccccccccccc   alpine:3.20   "evil\\x1b[2J\\n"            5 minutes ago   Created                              new',
      "",
    ].join("\n"));
  });
});

describe("formats", () => {
  const two = { ...listing, rows: listing.rows.slice(0, 2) };
  test.each([
    ["{{.Names}}", "brave_ritchie\nweb\n"],
    ["{{.ID}}\\t{{.Image}}", "aaaaaaaaaaaa\talpine:3.20\nbbbbbbbbbbbb\talpine:3.20\n"],
    [
      "table {{.Names}}\\t{{.State}}",
      "NAMES           STATE\nbrave_ritchie   running\nweb             exited\n",
    ],
    [
      "table {{.Names | upper}} {{.ID}}",
      "NAMES CONTAINER ID\nBRAVE_RITCHIE aaaaaaaaaaaa\nWEB bbbbbbbbbbbb\n",
    ],
    ['{{.Label "a"}} {{.Labels}}', "1 a=1,b=2\n1 a=1,b=2\n"],
    ["{{.CreatedAt}}", "2024-05-01 11:54:59 +0000 UTC\n".repeat(2)],
  ])("%s", (format, expected) => expect(renderRows(format, two)).toBe(expected));

  test("json: one object per line", () => {
    const lines = renderRows("json", two).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).Names)).toEqual(["brave_ritchie", "web"]);
    expect(Object.keys(JSON.parse(lines[0]!))).toEqual([
      ...[
        "Command",
        "CreatedAt",
        "ID",
        "Image",
        "Labels",
        "LocalVolumes",
        "Mounts",
        "Names",
        "Networks",
        "Platform",
      ],
      ...["Ports", "RunningFor", "Size", "State", "Status"],
    ]);
    expect(renderRows("{{json .}}", two)).toBe(renderRows("json", two));
  });

  test("--no-trunc and -s", () => {
    const [first] = containerListing(
      [{ ...list[0]!, size: { writable: 12, virtual: 7_830_012 } }],
      false,
      now,
    ).rows;
    expect(first).toMatchObject({
      ID: "a".repeat(64),
      Command: '"sh -c echo \\"hello\\" and a long line"',
      Size: "12B (virtual 7.83MB)",
    });
  });
});

test.each([
  [containersFormat(true), false],
  ["{{.ID}}", false],
  ["{{.Names}}\t{{.Status}}", false],
  ["{{upper .Image}}", false],
  ["json", true],
  ["{{json .}}", true],
  ["{{.}}", true],
  ["{{with .}}{{.Names}}{{end}}", true],
  ["{{$.ID}}", true],
  ['{{.Label "a"}}', true],
  ["table {{.ID}}\t{{.Mounts}}", true],
  ["{{.Networks}}", true],
  ["{{.LocalVolumes}}", true],
  ["{{.Platform}}", true],
])("%s shows what only the records have: %p", (format, wanted) => {
  expect(showsDetails(format)).toBe(wanted);
});

test("images", () => {
  const image = {
    tags: [{ name: "alpine:3.20", digest: digestOf("index") }],
    digests: [],
    id: `sha256:${"1".repeat(64)}`,
    created: "2024-03-01T12:00:00Z",
    size: 7_833_000,
    labels: {},
    containers: 0,
    damaged: false,
  };
  const rows = imageListing([{ ...image, tags: [], created: "" }, image], true, now);
  expect(renderRows(imagesFormat(false), rows)).toBe(
    [
      "REPOSITORY   TAG       IMAGE ID       CREATED        SIZE",
      "alpine       3.20      111111111111   2 months ago   7.83MB",
      "<none>       <none>    111111111111   N/A            7.83MB",
      "",
    ].join("\n"),
  );
});

test("durations as Docker tells them", () => {
  const told = [
    0,
    1,
    59,
    60,
    119,
    120,
    3540,
    3600,
    5399,
    5400,
    36 * 3600,
    48 * 3600,
    14 * 86400,
    60 * 86400,
    730 * 86400,
  ];
  expect(told.map((seconds) => humanDuration(seconds * 1000))).toEqual([
    ...[
      "Less than a second",
      "1 second",
      "59 seconds",
      "About a minute",
      "About a minute",
      "2 minutes",
      "59 minutes",
    ],
    ...["About an hour", "About an hour", "2 hours", "36 hours", "2 days", "2 weeks", "2 months", "2 years"],
  ]);
});

test("sizes, texts, times", () => {
  expect([0, 12, 999, 1000, 7_833_000, 999_999, 45_600_000_000].map((bytes) => humanSize(bytes))).toEqual([
    ...["0B", "12B", "999B", "1kB", "7.83MB", "1MB", "45.6GB"],
  ]);
  expect(ellipsis("abcdef", 6)).toBe("abcdef");
  expect(ellipsis("abcdefg", 6)).toBe("abcde\u2026");
  expect(goTime("2024-05-01T14:00:00.5+02:00")).toBe("2024-05-01 12:00:00 +0000 UTC");
});

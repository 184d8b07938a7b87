import { expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type EventMessage, eventJson, eventText, parseEvent } from "../../../src/docker/event.ts";
import { appendEvent, type NewEvent } from "../../../src/events/append.ts";
import { followEvents } from "../../../src/events/follow.ts";
import { until } from "../../support/wait.ts";
import { type Scratch, scratch } from "../store/samples.ts";

const script = join(import.meta.dir, "append-many.ts");
const started: NewEvent = {
  type: "container",
  action: "start",
  id: "c".repeat(64),
  attributes: { image: "alpine", name: "web", "a label": "é\n\u202e" },
};

/** What is written, and what is read of it. */
const roundTrip = (dir: Scratch, event: NewEvent): EventMessage => {
  appendEvent(dir.path, event);
  const line = readFileSync(join(dir.path, "events/1.jsonl"), "utf8").trimEnd().split("\n").at(-1)!;
  return parseEvent(line)!;
};

async function collect(state: string, count: number, past: boolean, ready?: () => void): Promise<string[]> {
  const abort = new AbortController();
  const lines: string[] = [];
  const following = followEvents(state, { past, until: undefined, abort: abort.signal });
  const first = following.next();
  ready?.();
  for (let some = await first; !some.done; some = await following.next()) {
    lines.push(...some.value);
    if (lines.length >= count) break;
  }
  await following.return(undefined);
  return lines;
}

test("a line in Docker's shape, with all digits of its time", () => {
  using dir = scratch();
  const event = roundTrip(dir, started);
  expect(event).toEqual({
    ...{ status: "start", id: started.id, from: "alpine", Type: "container", Action: "start" },
    ...{ Actor: { ID: started.id, Attributes: { ...started.attributes } }, scope: "local" },
    ...{ time: expect.any(Number), timeNano: expect.stringMatching(/^\d{19}$/) },
  });
  expect(event.timeNano).toStartWith(String(event.time));
  expect(eventJson(event)).toEndWith(`"scope":"local","time":${event.time},"timeNano":${event.timeNano}}`);
  expect(eventText({ ...event, timeNano: "1735787045123456789" })).toBe(
    `2025-01-02T03:04:05.123456789Z container start ${started.id} (a label=é\\n\\u202e, image=alpine, name=web)`,
  );
  const volume = roundTrip(dir, { type: "volume", action: "create", id: "v", attributes: {} });
  expect(Object.keys(volume)).toEqual(["Type", "Action", "Actor", "scope", "time", "timeNano"]);
  expect(eventText(volume)).toEndWith("Z volume create v");
});

test("a line that says nothing is none, and hides no other", () => {
  using dir = scratch();
  const { timeNano, ...rest } = roundTrip(dir, started);
  const good = eventJson({ ...rest, timeNano });
  for (const bad of [
    "",
    "{}",
    "x",
    good.slice(0, -1),
    good.slice(1),
    good.replace('"Type":"container"', '"Type":1'),
  ])
    expect([bad, parseEvent(bad)]).toEqual([bad, undefined]);
  expect(parseEvent(good)).toBeDefined();
});

test("labels of any length make no line too long", () => {
  using dir = scratch();
  const labels = { huge: "x".repeat(1 << 20), image: "alpine", name: "web" };
  expect(roundTrip(dir, { ...started, attributes: labels }).Actor.Attributes).toEqual({
    image: "alpine",
    name: "web",
  });
});

test("no two events of a process have the same time", () => {
  using dir = scratch();
  for (let count = 0; count < 100; count++) appendEvent(dir.path, started);
  const times = readFileSync(join(dir.path, "events/1.jsonl"), "utf8").match(/"timeNano":\d+/g)!;
  expect(new Set(times).size).toBe(100);
});

test("nothing fails for want of a place to write", () => {
  using dir = scratch();
  writeFileSync(join(dir.path, "events"), "");
  appendEvent(dir.path, started);
  writeFileSync(join(dir.path, "file"), "");
  appendEvent(join(dir.path, "file"), started);
});

test("a full file is followed by the next, and four are kept", () => {
  using dir = scratch();
  const filler = { ...started, attributes: { x: "x".repeat(60_000) } };
  for (let count = 0; count < 130; count++) appendEvent(dir.path, filler);
  const files = readdirSync(join(dir.path, "events"));
  expect(files.length).toBe(4);
  expect(files).not.toContain("1.jsonl");
  for (const file of files)
    expect(statSync(join(dir.path, "events", file)).size).toBeLessThan((1 << 20) + 65_536);
});

test("four processes write at once and one follows: nothing is missed, repeated or mixed, across rotations", async () => {
  using dir = scratch();
  // Each line has 2 kB: 1,600 of them are more than three files, and no more than are kept.
  const children: Bun.Subprocess[] = [];
  const each = 400;
  const lines = await collect(dir.path, 4 * each, false, () => {
    for (const who of ["a", "b", "c", "d"])
      children.push(
        Bun.spawn([process.execPath, script, dir.path, who, String(each), "2000"], { stderr: "inherit" }),
      );
  });
  for (const child of children) expect(await child.exited).toBe(0);
  const names = lines.map((line) => parseEvent(line)!.Actor.Attributes.name!);
  expect(names).toHaveLength(4 * each);
  expect(new Set(names).size).toBe(4 * each);
  for (const who of "abcd") {
    const own = names.filter((name) => name.startsWith(who));
    expect(own).toEqual(Array.from({ length: each }, (_, index) => `${who}-${index}`));
  }
  expect(existsSync(join(dir.path, "events/3.jsonl"))).toBe(true);
  const again = await collect(dir.path, 4 * each, true);
  expect(again.map((line) => parseEvent(line)!.Actor.Attributes.name!).sort()).toEqual(names.sort());
}, 60_000);

test("half a line is not told of before it is whole", async () => {
  using dir = scratch();
  mkdirSync(join(dir.path, "events"));
  const file = join(dir.path, "events/1.jsonl");
  const seen: string[] = [];
  const abort = new AbortController();
  const reading = (async () => {
    for await (const some of followEvents(dir.path, { past: true, until: undefined, abort: abort.signal }))
      seen.push(...some);
  })();
  appendFileSync(file, "one\nhalf ");
  await until("the whole line", () => seen.length === 1);
  appendFileSync(file, "é".slice(0, 1));
  appendFileSync(file, "\n");
  await until("the other", () => seen.length === 2);
  expect(seen).toEqual(["one", "half é"]);
  abort.abort(new Error("enough"));
  expect(reading).rejects.toThrow("enough");
  await reading.catch(() => undefined);
});

test("it ends at its time, also when nothing happens", async () => {
  using dir = scratch();
  const options = { past: true, until: Date.now() + 50, abort: new AbortController().signal };
  for await (const _ of followEvents(dir.path, options)) throw new Error("nothing has happened");
});

/** `rt system df`, `rt system prune` and `rt image prune`: what takes room, and what goes. */
import { expect } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import { contentOf, snapshotsOf } from "./image-world.ts";
import { containerTests, image, oneLine, running } from "./world.ts";

const { test, host } = containerTests();

interface Line {
  Type: string;
  TotalCount: string;
  Active: string;
  Size: string;
  Reclaimable: string;
}

async function totals(): Promise<Record<string, Line>> {
  const lines = (await host().ok(["system", "df", "--format", "json"])).split("\n").filter(Boolean);
  return Object.fromEntries(lines.map((line) => JSON.parse(line) as Line).map((line) => [line.Type, line]));
}

const write = ["dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=3"];

test("df: docker's lines; shared layers count once, what runs is not to be reclaimed", async () => {
  await host().ok(["run", "--name", "over", "-v", "named:/data", image, ...write]);
  await host().ok(["commit", "over", "team/one"]);
  await host().ok(["commit", "over", "team/two"]);
  await using _ = await running(host(), ["sleep", "1000"]);
  const table = (await host().ok(["system", "df"])).split("\n");
  expect(table[0]).toMatch(/^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE$/);
  expect(table.slice(1, -1).map((line) => line.split(/ {2,}/)[0])).toEqual([
    ...["Images", "Containers", "Local Volumes", "Build Cache"],
  ]);
  const { Images, Containers, "Local Volumes": volumes } = await totals();
  expect(Images).toMatchObject({ TotalCount: "4", Active: "1" });
  expect(Containers).toMatchObject({
    TotalCount: "2",
    Active: "1",
    Size: expect.stringMatching(/^3\.1\d*MB$/),
  });
  expect(Containers!.Reclaimable).toMatch(/^3\.1\d*MB \((9\d|100)%\)$/);
  expect(volumes).toMatchObject({ TotalCount: "1", Active: "1" });
  const details = await host().ok(["system", "df", "-v"]);
  for (const title of ["Images", "Containers", "Local Volumes"])
    expect(details).toContain(`${title} space usage:\n\n`);
  // Blobs and unpacked layers, of which only the documents are its own.
  expect(details).toMatch(/\nteam\/one +latest .* 9\.\d*MB +9\.\d*MB +8\.192kB +0\n/);
  expect(details).toMatch(/\nnamed +1 +/);
  const names = await host().ok([
    "system",
    "df",
    "-v",
    "--format",
    "{{range .Images}}{{.Repository}} {{end}}",
  ]);
  expect(names.trim().split(" ").sort()).toEqual(
    [image, "embed:hello".split(":")[0]!, "team/one", "team/two"].sort(),
  );
  await host().ok(["rm", "over"]);
  await host().ok(["rmi", "team/one", "team/two"]);
  await host().ok(["volume", "rm", "named"]);
});

/** "3.138MB" */
function bytesIn(text: string): number {
  const [, number, unit] = /^([\d.]+)([kMG]?)B/.exec(text)!;
  return Number(number) * 1000 ** " kMG".indexOf(unit || " ");
}

/** As du(1) counts them. */
async function du(...paths: string[]): Promise<number> {
  const child = Bun.spawn(["du", "-scB1", ...paths.map((path) => join(host().root, path))]);
  return Number(/(\d+)\ttotal\n$/.exec(await child.stdout.text())![1]);
}

test("df: what du counts, what nobody needs too; and what it says can be had is had", async () => {
  await host().ok(["run", "--name", "over", "-v", "named:/data", image, ...write]);
  await host().ok(["run", "--name", "data", "-v", "named:/data", image, "cp", "/bin/busybox", "/data"]);
  await host().ok(["commit", "over", "team/one"]);
  await host().ok(["rm", "over"]);
  const near = (value: number) => [value * 0.999 - 4096, value * 1.001 + 4096] as const;
  const expectNear = (text: string, wanted: number) => {
    const [least, most] = near(wanted);
    expect([text, bytesIn(text) >= least, bytesIn(text) <= most]).toEqual([text, true, true]);
  };
  const stored = async () => {
    const drivers = readdirSync(join(host().root, "snapshots"));
    const committed = drivers.map((driver) => join("snapshots", driver, "committed"));
    return await du("content", ...committed.filter((path) => existsSync(join(host().root, path))));
  };
  const before = await totals();
  expectNear(before.Images!.Size, await stored());
  expectNear(before["Local Volumes"]!.Size, await du("volumes/named/_data"));
  expect(before["Build Cache"]).toMatchObject({ TotalCount: "0", Size: "0B", Reclaimable: "0B" });
  // What a pull has left that was killed: half a blob, and a whole one.
  const left = randomBytes(1_000_000);
  writeFileSync(join(host().root, "content/ingest", "0".repeat(64)), left.subarray(0, 500_000));
  writeFileSync(join(host().root, "content/blobs/sha256", digestOf(left).slice(7)), left);
  const with_ = await totals();
  expect(with_["Build Cache"]).toMatchObject({ TotalCount: "2", Active: "0" });
  expect(with_.Images).toEqual(before.Images);
  const total = await stored();
  expectNear(with_["Build Cache"]!.Size, total - bytesIn(before.Images!.Size));
  // It may be gone on with.
  expect(await host().ok(["image", "prune", "-f"])).toBe("Total reclaimed space: 0B\n");
  const told = await host().ok(["image", "prune", "-af"]);
  const reclaimed = /Total reclaimed space: (\S+)\n$/.exec(told)![1]!;
  expectNear(reclaimed, total - (await stored()));
  expectNear(
    reclaimed,
    [with_.Images!, with_["Build Cache"]!].reduce((sum, line) => sum + bytesIn(line.Reclaimable), 0),
  );
  expect((await totals()).Images!.Reclaimable).toBe("0B (0%)");
  await host().ok(["rm", "data"]);
  await host().ok(["volume", "rm", "named"]);
  await host().ok(["run", "--rm", "-q", "embed:hello"]);
});

test("image prune: without a name, or with -a all that no container has", async () => {
  const before = [contentOf(host()), snapshotsOf(host())];
  await host().ok(["run", "--name", "over", image, ...write]);
  await host().ok(["commit", "-c", "LABEL keep=1", "over"]);
  const gone = (await host().ok(["commit", "over"])).trim();
  await host().ok(["commit", "over", "team/tagged"]);
  const asked = await host().rt(["image", "prune"], { stdin: "n\n" });
  expect(asked.stdout).toBe(
    "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] ",
  );
  const first = await host().ok(["image", "prune", "-f", "--filter", "label!=keep"]);
  expect(first).toContain(`Deleted Images:\ndeleted: ${gone}\n`);
  // Its layer is another image's too: a config and a manifest.
  expect(first).toMatch(/\n\nTotal reclaimed space: [48]\.\d+kB\n$/);
  await host().ok(["image", "prune", "-f", "--filter", "until=1h"]);
  expect(await host().ok(["images", "-q", "--filter", "dangling=true"])).not.toBe("");
  await host().ok(["rm", "over"]);
  await host().ok(["run", "--name", "other", image, "true"]);
  const all = await host().ok(["image", "prune", "-af"]);
  expect(all).toContain("untagged: team/tagged:latest\n");
  expect(all).toMatch(/Total reclaimed space: [3-9](\.\d+)?MB\n$/);
  expect(await host().ok(["images", "--format", "{{.Repository}}"])).toBe(`${image}\n`);
  await host().ok(["rm", "other"]);
  await host().ok(["run", "--rm", "-q", "embed:hello"]);
  expect([contentOf(host()), snapshotsOf(host())]).toEqual(before);
  for (const filter of ["until=soon", "name=x", "dangling=perhaps"])
    oneLine((await host().rt(["image", "prune", "-f", "--filter", filter])).stderr);
});

test("system prune: says what will go, and what has gone", async () => {
  await host().ok(["run", "--name", "over", "-v", "/data", image, ...write]);
  const dangling = (await host().ok(["commit", "over"])).trim();
  const asked = await host().rt(["system", "prune", "--volumes", "--filter", "label=none"], { stdin: "n\n" });
  expect(asked.stdout).toBe(
    [
      "WARNING! This will remove:",
      "  - all stopped containers",
      "  - all networks not used by at least one container",
      "  - all anonymous volumes not used by at least one container",
      "  - all dangling images",
      "",
      "  Items to be pruned will be filtered with:",
      "  - label=none",
      "",
      "Are you sure you want to continue? [y/N] ",
    ].join("\n"),
  );
  await using kept = await running(host(), ["sleep", "1000"]);
  const told = await host().ok(["system", "prune", "-f", "--volumes"]);
  expect(told).toMatch(
    /^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Volumes:\n[0-9a-f]{64}\n\nDeleted Images:\n/,
  );
  expect(told).toContain(`deleted: ${dangling}\n`);
  expect(told).toMatch(/\n\nTotal reclaimed space: [6-9](\.\d+)?MB\n$/);
  expect(await host().ok(["ps", "-a", "--format", "{{.Names}}"])).toBe(`${kept.name}\n`);
  const both = await host().rt(["system", "prune", "-f", "--volumes", "--filter", "until=1h"]);
  expect(oneLine(both.stderr)).toBe('the "until" filter is not supported with "--volumes"');
});

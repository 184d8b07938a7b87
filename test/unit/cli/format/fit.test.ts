import { expect, test } from "bun:test";
import { containerListing, containersFormat, containersGive } from "../../../../src/cli/format/containers.ts";
import { cutLines, fitRows } from "../../../../src/cli/format/fit.ts";
import { renderRows } from "../../../../src/cli/format/rows.ts";

const summary = {
  id: "0123456789abcdef".repeat(4),
  name: "a_name_that_somebody_chose",
  image: "registry.example.org/team/some/application:1.2.3-beta",
  imageId: "sha256:x",
  command: "/usr/bin/some-program --with=arguments",
  created: "2026-01-01T00:00:00Z",
  state: "running",
  status: "Up 3 minutes",
};

function drawn(columns: number): string[] {
  const listing = containerListing([summary], true, Date.parse("2026-01-01T00:03:00Z"));
  const fit = (lines: readonly string[]) => fitRows(lines, columns, containersGive);
  return cutLines(renderRows(containersFormat(false), listing, fit), columns)
    .split("\n")
    .slice(0, -1);
}

test("a wide terminal shows all, a narrower one what is needed most", () => {
  const [, all] = drawn(200);
  expect(all).toContain(summary.image);
  expect(all).toContain('"/usr/bin/some-progr…"');
  for (const columns of [140, 120, 100, 80, 60, 40, 10]) {
    const lines = drawn(columns);
    expect([columns, Math.max(...lines.map((line) => [...line].length)) <= columns]).toEqual([columns, true]);
    // The name and the id are the last to go.
    if (columns >= 100) expect(lines[1]).toContain(summary.name);
    if (columns >= 80) expect(lines[1]).toStartWith("0123456789ab ");
  }
  expect(drawn(120)[1]).toContain("Up 3 minutes");
});

test("what fits stays as it is", () => {
  const lines = ["A\tB", "some\tthing"];
  expect(fitRows(lines, 80, [{ column: 0, least: 1 }])).toEqual(lines);
  expect(fitRows(["A\tB", `${"x".repeat(30)}\ty`], 20, [{ column: 0, least: 5 }])[1]).toBe(
    `${"x".repeat(15)}…\ty`,
  );
  expect(cutLines("short\nmuch too long\n", 8)).toBe("short\nmuch to…\n");
});

import { expect, test } from "bun:test";
import { containerListing, containersFormat, containersGive } from "../../../../src/cli/format/containers.ts";
import { cutLines, fitTable } from "../../../../src/cli/format/fit.ts";
import { renderRows } from "../../../../src/cli/format/rows.ts";
import { statsGive } from "../../../../src/cli/format/stats.ts";
import type { ContainerSummary } from "../../../../src/docker/container-summary.ts";

const summary = {
  id: "0123456789abcdef".repeat(4),
  name: "a_name_that_somebody_chose",
  image: "registry.example.org/team/some/application:1.2.3-beta",
  imageId: "sha256:x",
  command: "/usr/bin/some-program --with=arguments",
  created: "2026-01-01T00:00:00Z",
  state: "running",
  ports: [],
  status: "Up 3 minutes",
};

function drawn(columns: number, change: Partial<ContainerSummary> = {}): string[] {
  const { size } = change;
  const listing = containerListing([{ ...summary, ...change }], true, Date.parse("2026-01-01T00:03:00Z"));
  const fit = (lines: readonly string[]) => fitTable(lines, columns, containersGive);
  return renderRows(containersFormat(size !== undefined), listing, fit)
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

test("in 80 columns a usual container shows what it does, whole", () => {
  const usual = { name: "brave_engelbart", image: "alpine" };
  expect(drawn(80, usual)[1]).toBe(
    '0123456789ab   alpine   "/usr/…   3 minutes ago   Up 3 minutes   brave_engelbart',
  );
  const size = { writable: 0, virtual: 1_980_000 };
  expect(drawn(80, { ...usual, size })[1]).toBe(
    '0123456789ab   alpine   "/usr/…   3 minu…   Up 3 minu…   brave_engel…   0B (vir…',
  );
  expect(drawn(80, usual)[0]).not.toContain("PORTS");
  expect(fitTable(["A\tB\tC"], 3, [])).toBe("A …\n");
});

test("in 80 columns stats loses no figure", () => {
  const cells =
    "0123456789ab\tbrave_engelbart\t99.99%\t1.234GiB / 23.54GiB\t99.99%\t0B / 0B\t0B / 41.2MB\t12";
  const headings = "CONTAINER ID\tNAME\tCPU %\tMEM USAGE / LIMIT\tMEM %\tNET I/O\tBLOCK I/O\tPIDS";
  const [, line] = fitTable([headings, cells], 80, statsGive).split("\n");
  expect(line).toStartWith("012345…   brave_engel…   99.99%   1.234Gi");
  expect(line).toEndWith("   12");
});

test("what fits stays as it is", () => {
  const lines = ["A\tB", "some\tthing"];
  const gives = [{ column: 0, least: 5 }];
  expect(fitTable(lines, 80, gives)).toBe("A         B\nsome      thing\n");
  expect(fitTable(["A\tB", `${"x".repeat(30)}\ty`], 20, gives)).toBe(
    `A                  B\n${"x".repeat(15)}…   y\n`,
  );
  expect(cutLines("short\nmuch too long\n", 8)).toBe("short\nmuch to…\n");
});

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { hierarchyOf } from "../../../src/runtime/hierarchies.ts";
import { writeLimits } from "../../../src/runtime/live-limits.ts";

test("what is written instead of a file that the host does not have is set back too", () => {
  const controller = "none";
  const root = hierarchyOf(undefined)?.directory ?? "/sys/fs/cgroup";
  const directory = mkdtempSync(join(tmpdir(), "rt-limits-"));
  try {
    const path = join(directory, "io.weight");
    writeFileSync(path, "100\n");
    const common = { controller, flag: "--blkio-weight", required: true };
    const instead = { name: "io.weight", value: "700" };
    const weight = { ...common, name: "io.bfq.weight", value: "70", instead };
    writeLimits(relative(root, directory), [weight]);
    expect(readFileSync(path, "utf8")).toBe("700\n");
    const other = { ...common, name: "io.nosuch", value: "1", instead: null };
    const again = { ...weight, instead: { ...instead, value: "900" } };
    expect(() => writeLimits(relative(root, directory), [again, other])).toThrow("cannot set io.nosuch");
    expect(readFileSync(path, "utf8")).toBe("700\n");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

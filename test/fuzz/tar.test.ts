/**
 * Damaged archives through the real helper: it unpacks them or refuses them in one line, does not crash or hang, touches
 * nothing outside, and leaves nothing. RT_FUZZ_ROUNDS makes it longer.
 */
import { afterAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RtError } from "../../src/base/errors.ts";
import { driverNames, workbench } from "../contract/bench.ts";
import { plantCanary } from "../support/canary.ts";
import { needs } from "../support/root.ts";
import { scratchDirectory } from "../support/scratch.ts";
import { archive, type Member, member, paxRecords } from "../support/tar.ts";
import { treeNeeds } from "../support/tree.ts";
import { seeded } from "./mutate.ts";

const rounds = Number(process.env.RT_FUZZ_ROUNDS || 150);
const gated = needs(treeNeeds);
const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

/** What members a round may put together. */
function members(up: string): (Member | Uint8Array)[] {
  const dir = (name: string): Member => ({ name, type: "5", mode: 0o755 });
  return [
    dir("d"),
    dir("d/e"),
    { name: "d/f", content: "f".repeat(700) },
    { name: "f", content: "" },
    { name: "l", type: "2", link: "d" },
    { name: "d/out", type: "2", link: up },
    { name: "out", type: "2", link: `/${up}` },
    { name: "h", type: "1", link: "d/f" },
    { name: "n", type: "3", device: { major: 1, minor: 3 } },
    { name: "p", type: "6" },
    { name: "out/file", content: "evil" },
    { name: "d/out/file", content: "evil" },
    { name: "l/.wh.f" },
    { name: "out/.wh.file" },
    { name: "d/.wh..wh..opq" },
    { name: `${up}/file`, content: "evil" },
    { name: "././@LongLink", type: "L", content: `d/${"x".repeat(150)}\0` },
    paxRecords({ path: "d/pax", mtime: "1.5", "SCHILY.xattr.user.a": "b" }),
    paxRecords({ size: "5", "GNU.sparse.map": "0,5", "GNU.sparse.size": "9", "GNU.sparse.name": "sparse" }),
    paxRecords({
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.realsize": "600",
      size: "512",
    }),
    { name: "decimal", content: `1\n0\n0\n${"\0".repeat(505)}` },
  ];
}

/** Some members, then some damage: to bytes of headers with their checksum put right, or to anything. */
function damaged(up: string, random: () => number): Uint8Array {
  const int = (below: number) => Math.floor(random() * below);
  const choice = members(up);
  const parts = Array.from({ length: 1 + int(12) }, () => choice[int(choice.length)]!);
  const bytes = Buffer.from(
    archive(...parts.map((part) => (part instanceof Uint8Array ? part : member(part)))),
  );
  for (let edits = int(4); edits > 0; edits--) {
    const block = 512 * int(bytes.length / 512);
    const at = block + int(512);
    bytes[at] = [0, 0x20, 0x2f, 0x2e, 0x30, 0x37, 0x80, 0xff, int(256)][int(9)]!;
    if (random() < 0.8) repair(bytes.subarray(block, block + 512));
  }
  return random() < 0.1 ? bytes.subarray(0, int(bytes.length)) : bytes;
}

function repair(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}

for (const driver of driverNames) {
  gated.test(`${driver}: damaged archives`, async () => {
    await using bench = workbench(driver);
    const dir = mkdtempSync(join(scratchDirectory(), "rt-fuzz-tar-"));
    dirs.push(dir);
    const canary = await plantCanary(dir);
    const up = `${"../".repeat(12)}${canary.dir.slice(1)}`;
    const below = await bench.apply([
      archive(
        { name: "d", type: "5", mode: 0o755 },
        { name: "d/f", content: "below" },
        { name: "l", type: "2", link: up },
      ),
    ]);
    let applied = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      const tar = damaged(up, seeded(seed));
      const request = bench.request(tar, seed % 2 ? below : []);
      try {
        await bench.driver.unpack(request);
        applied++;
      } catch (error) {
        const typed = error instanceof RtError && error.code !== "internal" && /^[ -~]+$/.test(error.message);
        if (!typed) throw new Error(`seed ${seed}: ${error}`, { cause: error });
      }
      await bench.driver.removeCommitted(request.chain);
      expect([seed, bench.leftovers()]).toEqual([seed, []]);
      rmSync(request.source.path);
    }
    await canary.check();
    // The generator makes sense: neither all nothing nor all refused.
    expect(applied).toBeGreaterThan(rounds / 20);
    expect(applied).toBeLessThan(rounds);
  });
}

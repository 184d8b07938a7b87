import { expect, test } from "bun:test";
import { join } from "node:path";

test("an addon gets the descriptor's number that librt had, and is itself all the same", async () => {
  const module = (name: string) => JSON.stringify(join(import.meta.dir, "../../../src/native", name));
  const script = `
    import { native } from ${module("ffi.ts")};
    import { loadZstdAddon } from ${module("addon.ts")};
    native();
    loadZstdAddon();
    console.log(Object.keys(globalThis[Symbol.for("rt.zstd")]).length > 0);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect([stdout, stderr]).toEqual(["true\n", ""]);
});

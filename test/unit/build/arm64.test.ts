import { expect } from "bun:test";
import { join, resolve } from "node:path";
import { run } from "../../support/command.ts";
import { outside } from "../../support/outside.ts";
import { needs } from "../../support/root.ts";

const project = resolve(import.meta.dir, "../../..");
const { test } = needs({ tools: ["qemu-aarch64", "apt-get", "dpkg-deb"] });

test("the executable for arm64 builds, with Debian's libc6 for arm64, and starts", async () => {
  await run(outside([process.execPath, "build.ts", "--target", "linux-arm64"]), { cwd: project });
  const program = join(project, "dist/rt-linux-arm64");
  expect(await run(["qemu-aarch64", program, "--version"])).toMatch(
    /^rt version \d+\.\d+\.\d+, build \w+\n$/,
  );
  expect(await run(["qemu-aarch64", program, "version", "--licenses"])).toMatch(
    /^GNU C Library \(.*GLIBC.*\)/m,
  );
}, 400_000);

/**
 * A tree on the host that must not change, whatever a hostile image or program does.
 *
 *   const canary = plantCanary(host.dir);
 *   … an archive with a member "../../canary/file" …
 *   canary.check();
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeTree, treeDifference } from "./tree.ts";

export interface Canary {
  readonly dir: string;
  /** A regular file in it, as a target for attacks. */
  readonly file: string;
  /** @throws Error that names what changed. */
  check(): Promise<void>;
}

export async function plantCanary(parent: string, name = "canary"): Promise<Canary> {
  const dir = join(parent, name);
  mkdirSync(join(dir, "sub/deep"), { recursive: true, mode: 0o755 });
  writeFileSync(join(dir, "file"), "the canary sings\n");
  writeFileSync(join(dir, "sub/deep/file"), "deep down\n");
  writeFileSync(join(dir, "secret"), "nobody may read this\n");
  chmodSync(join(dir, "secret"), 0o600);
  symlinkSync("file", join(dir, "link"));
  const before = await describeTree(dir);
  return {
    dir,
    file: join(dir, "file"),
    async check() {
      const changes = treeDifference(before, await describeTree(dir));
      if (changes.length > 0) throw new Error(`the canary ${dir} was touched:\n${changes.join("\n")}`);
    },
  };
}

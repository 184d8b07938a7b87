/**
 * As whom the tests call rt: as root, unless RT_TEST_AS says otherwise (test/ways/suite.ts, which runs files of tests so).
 *
 *   auto      root, whose configuration gives each container a user namespace of its own
 *   user      an ordinary user with subordinate ids
 *   single    one without any
 *
 * The tests themselves are root's in every way, so that they see all of a container. The user is made by whoever sets the
 * switch, and ends with it; RT_TEST_USER says who he is. What tests have made in their scratch directory is his before his next
 * command, as if he had made it: root's files are his own, those of other ids are of his
 * subordinate ones.
 */
import { lchownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { whereThere } from "./leaks.ts";
import type { OrdinaryUser } from "./ordinary-user.ts";
import { scratchDirectory } from "./scratch.ts";

export type Way = "root" | "auto" | "user" | "single";

/** What of an ordinary user the tests of another process need. */
export type TestUser = Pick<
  OrdinaryUser,
  "name" | "uid" | "gid" | "firstSubordinate" | "runtime" | "binary"
> & {
  /** Words before a program, which is his then. */
  front: readonly string[];
};

export const way = wayOf(process.env.RT_TEST_AS);
export const testUser = userOf(process.env.RT_TEST_USER);

function wayOf(said: string | undefined): Way {
  if (said === undefined || said === "") return "root";
  if (said === "auto" || said === "user" || said === "single") return said;
  throw new Error(`RT_TEST_AS is ${JSON.stringify(said)}: auto, user or single`);
}

function userOf(said: string | undefined): TestUser | undefined {
  if (way !== "user" && way !== "single") return undefined;
  if (said !== undefined) return JSON.parse(said) as TestUser;
  throw new Error(`RT_TEST_AS=${way} needs a user: bun test/ways/main.ts ${way} FILE…`);
}

/** The configuration that this way is, in a new host's home. */
export function configure(configHome: string): void {
  if (way !== "auto") return;
  mkdirSync(join(configHome, "rt"), { recursive: true });
  writeFileSync(join(configHome, "rt/config.toml"), 'userns = "auto"\n');
}

/** What is root's in the tests' scratch directory becomes the user's; what rt has made there is none of ours. */
export function handOver(): void {
  if (testUser !== undefined) handOverBelow(scratchDirectory(), testUser, lstatSync(scratchDirectory()).dev);
}

function handOverBelow(dir: string, user: TestUser, device: number): void {
  for (const name of whereThere(() => readdirSync(dir), [])) {
    const path = join(dir, name);
    const stat = whereThere(() => lstatSync(path), undefined);
    if (stat === undefined || stat.dev !== device) continue;
    const [uid, gid] = [hostId(stat.uid, user, user.uid), hostId(stat.gid, user, user.gid)];
    if (uid !== stat.uid || gid !== stat.gid) whereThere(() => lchownSync(path, uid, gid), undefined);
    if (stat.isDirectory() && !isOfStore(dir, name)) handOverBelow(path, user, device);
  }
}

/** Trees of images and containers, below the RT_ROOT of a host of tests. */
function isOfStore(dir: string, name: string): boolean {
  return (name === "snapshots" || name === "content") && /\/rt-test-[^/]*\/root$/.test(dir);
}

/** The number on the host of `id` in his namespace; what is one of his already, or has none there, stays. */
function hostId(id: number, user: TestUser, own: number): number {
  if (id === 0) return own;
  return user.firstSubordinate !== undefined && id <= 65_536 ? user.firstSubordinate + id - 1 : id;
}

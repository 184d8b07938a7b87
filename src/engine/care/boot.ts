import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStateFile } from "../../container/state-file.ts";
import { FileLock } from "../../content/file-lock.ts";
import { isLocked } from "../../runtime/lock.ts";
import { bootFile, isOfAnotherBoot, thisBoot } from "./boot-id.ts";

/**
 * The first command after a boot, where the state directory is on a disk. A process of now may have the number and, counted
 * from the boot, the start time of one of then: so what is written of processes is forgotten before anybody acts on it. What is
 * then left says that the container ran, and is over.
 *
 * A directory that is locked is of this boot; in a state directory that has no word of any boot all are.
 */
export async function forgetProcesses(state: string): Promise<void> {
  if (!existsSync(state)) return;
  using _ = await FileLock.acquire(join(state, "boot.lock"));
  if (!isOfAnotherBoot(state)) return; // another process did it while we waited
  const containers = join(state, "containers");
  const isKnown = existsSync(bootFile(state)) && existsSync(containers);
  for (const id of isKnown ? readdirSync(containers) : []) forget(join(containers, id));
  writeFileSync(`${bootFile(state)}.new`, thisBoot(), { mode: 0o600 });
  renameSync(`${bootFile(state)}.new`, bootFile(state));
}

/** When it began, and how often it was started again, stay. */
function forget(directory: string): void {
  const path = join(directory, "pid");
  const text = readStateFile(path)?.toString();
  if (text === undefined || isLocked(join(directory, "lock"))) return;
  const kept = text.split("\n").filter((line) => /^(started|restarts) \d+$/.test(line));
  writeFileSync(`${path}.new`, `${kept.join("\n")}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

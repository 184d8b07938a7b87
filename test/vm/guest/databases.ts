/** The guest's root is read-only: what makes a user has an /etc of its own there. */
import { run } from "../../support/command.ts";

const copy = "/run/etc";

export async function writableDatabases(): Promise<void> {
  await run(["cp", "-a", "/etc", copy]);
  await run(["mount", "--bind", copy, "/etc"]);
}

export async function restoreDatabases(): Promise<void> {
  await run(["umount", "/etc"]);
  await run(["rm", "-rf", copy, "/run/rt-test-users.lock"]);
}

/**
 * A place where nobody can make a user namespace: one in which every number is its own, and user.max_user_namespaces is 0.
 *
 *   await using place = await withoutUserNamespaces();
 *   await user.rt([…], { front: place.front });
 */
import { writeFileSync } from "node:fs";
import { until } from "./wait.ts";

export interface Place extends AsyncDisposable {
  /** Words before a command that is executed in there. */
  readonly front: readonly string[];
}

export async function withoutUserNamespaces(): Promise<Place> {
  const child = Bun.spawn(["unshare", "--user", "sh", "-c", "echo made; read -r end"], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const reader = child.stdout.getReader();
  await reader.read();
  const { pid } = child;
  for (const kind of ["uid", "gid"]) writeFileSync(`/proc/${pid}/${kind}_map`, "0 0 4294967295\n");
  const front = ["nsenter", "--user", `--target=${pid}`, "--preserve-credentials", "--"];
  const limit = ["sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces"];
  await until("the limit is set", async () => (await Bun.spawn([...front, ...limit]).exited) === 0);
  return {
    front,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await child.exited;
    },
  };
}

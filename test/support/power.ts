import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupPath, removeCgroup } from "../../src/runtime/cgroup.ts";
import type { TestHost } from "./host.ts";
import { until } from "./wait.ts";

/** The power fails: of what ran nothing is left, nobody has written anything down, and the machine is up again. */
export async function powerFails(
  { state: root }: TestHost,
  ids: readonly string[],
  state: "lost" | "kept",
): Promise<void> {
  const pids = ids.map((id) => {
    const text = readFileSync(join(join(root, "containers", id), "pid"), "utf8");
    return ["monitor", "init"].map((name) => Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1]));
  });
  for (const [monitor] of pids) process.kill(monitor!, "SIGKILL");
  await until("the programs have gone with their monitors", () =>
    pids.every(([_, init]) => !existsSync(`/proc/${init}`)),
  );
  for (const id of ids) removeCgroup(cgroupPath(id));
  if (state === "lost") for (const id of ids) rmSync(join(root, "containers", id), { recursive: true });
  writeFileSync(join(root, "boot"), "00000000-0000-0000-0000-000000000000\n");
}

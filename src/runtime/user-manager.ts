import { existsSync } from "node:fs";
import { join } from "node:path";
import { rootlessCaller } from "../base/rootless.ts";
import { runtimeDirectory } from "../base/runtime-directory.ts";

/** The systemd of an ordinary user, which runs as long as he is logged in, or lingers. */
export interface UserManager {
  /** Where it listens: a socket of its own, or a bus. */
  places: { path: string; isBus: boolean }[];
  /** Its group in the unified hierarchy, which root's systemd has delegated to it: absolute. */
  group: string;
}

/** Undefined: root, or a user who has none. */
export function userManager(): UserManager | undefined {
  const caller = rootlessCaller();
  if (!caller) return undefined;
  const directory = runtimeDirectory(process.env, caller.uid);
  const places = [
    { path: join(directory, "systemd/private"), isBus: false },
    { path: join(directory, "bus"), isBus: true },
  ];
  if (!existsSync(places[0]!.path)) return undefined;
  return { places, group: `/user.slice/user-${caller.uid}.slice/user@${caller.uid}.service` };
}

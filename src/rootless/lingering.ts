import { existsSync } from "node:fs";
import { userNames } from "./subordinates.ts";

/** With systemd what an ordinary user runs ends with his last session, and so does /run/user/UID, unless he lingers. */
export function lingeringLack(uid: number): { what: string; problem: string; remedy: string } | undefined {
  const [name] = userNames(uid);
  if (!existsSync("/run/systemd/system") || existsSync(`/var/lib/systemd/linger/${name}`)) return undefined;
  return {
    what: "lingering",
    problem: "is off: your containers end when you log out",
    remedy: `sudo loginctl enable-linger ${name}`,
  };
}

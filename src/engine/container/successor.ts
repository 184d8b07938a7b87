import { isBuilt } from "../../base/build-info.ts";
import type { Successor } from "../../runtime/native/request.ts";
import type { Host } from "../host.ts";

/** What steers rt, but for what the words or the file itself say. */
const steering = /^(RT_(?!APP$|PACKED$|ROOT$|STATE$)|HOME$|XDG_CONFIG_HOME$)/;

/**
 * What the monitor of a container becomes at the end (zig-native/monitor/successor.zig): this executable, on the same
 * directories. Run from source there is none, and the next command sees to what is left.
 */
export function successorOf(host: Host, id: string): Successor | null {
  if (!isBuilt) return null;
  const { root, state } = host.paths;
  const front = ["rt", "--root", root, "--state", state, ...host.configWords];
  return {
    conclude: [...front, "container", "conclude", id],
    restart: [...front, "container", "restart-by-policy", id],
    environment: [
      "RT_APP=0",
      ...Object.entries(host.env).flatMap(([name, value]) =>
        steering.test(name) && value !== undefined ? [`${name}=${value}`] : [],
      ),
    ],
  };
}

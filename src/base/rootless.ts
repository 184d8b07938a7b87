import { RtError } from "./errors.ts";

/** An ordinary user, by the numbers that he has on the host. */
export interface Caller {
  uid: number;
  gid: number;
}

/** As the start says it. */
export function callerVariable({ uid, gid }: Caller): string {
  return `RT_ROOTLESS=${uid}:${gid}`;
}

/**
 * Who has called rt, where that is an ordinary user: this process has joined his user namespace before its runtime began
 * (zig-native/start.zig), and is root in there. RT_ROOTLESS ("uid:gid") is set by that start alone; a caller's own is left out.
 * Undefined: root, or a user who has not joined any.
 */
export function rootlessCaller(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Caller | undefined {
  const said = env.RT_ROOTLESS;
  if (said === undefined) return undefined;
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(said) ?? [];
  if (uid === undefined) throw new RtError("internal", `RT_ROOTLESS is ${JSON.stringify(said)}`);
  return { uid: Number(uid), gid: Number(gid) };
}

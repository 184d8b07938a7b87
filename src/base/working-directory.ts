import { RtError } from "./errors.ts";

/**
 * `path` as it was given, which the system takes from the working directory when it is relative. rt runs on where that has
 * no name (zig-native/start/place.zig says why), from "/", and there a relative path would be another one.
 * @param what is for the message: "--cidfile"
 * @throws RtError not-found
 */
export function callerPath(path: string, what: string, env = process.env): string {
  if (path.startsWith("/") || env.RT_NO_CWD === undefined) return path;
  throw new RtError(
    "not-found",
    `${what} ${JSON.stringify(path)} is a relative path, and the working directory ${env.RT_NO_CWD}`,
  );
}

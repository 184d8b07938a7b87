/**
 * What says that this executable has an image in it (format.ts): RT_PACKED, set by the code that starts us and
 * never by the caller. Such an executable is an app: its arguments are the image's. RT_APP=0 makes it an ordinary rt.
 */
export function isPackedApp(env: Readonly<Record<string, string | undefined>>): boolean {
  return env.RT_PACKED !== undefined && env.RT_APP !== "0";
}

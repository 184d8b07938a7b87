/** Versions of Docker's Engine API that are spoken here; of a path without one the newest is meant. */
export const apiVersionMin = "1.24";
export const apiVersionMax = "1.51";

export type ApiVersion = string;

/** Whether `version` is `wanted` or newer: "1.9" is older than "1.24". */
export function isAtLeast(version: ApiVersion, wanted: ApiVersion): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major === wantedMajor ? minor >= wantedMinor : major > wantedMajor;
}

import { invalid, rejectControl } from "../base/invalid.ts";

/** podman's word for the groups of whoever starts the container. */
export const callersGroups = "keep-groups";

/** `--group-add`: names, numbers, or `keep-groups` alone. @throws RtError invalid-argument */
export function parseGroups(texts: readonly string[], what = "--group-add"): string[] {
  const groups = texts.map((text) => rejectControl(what, text));
  if (groups.includes(callersGroups) && groups.length > 1)
    throw invalid(`invalid ${what} ${callersGroups}: it cannot be there together with other groups`);
  return groups;
}

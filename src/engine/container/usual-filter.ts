import { readTextFile } from "../../base/text-file.ts";
import { checkSeccompProfile, seccompBytesMax } from "../../settings/seccomp-profile.ts";
import { isSeccompWord } from "../../settings/security-opt.ts";

/** What the configuration says of the filter of a new container, as the container's record has it. @throws RtError */
export function usualFilter(configured: string): string {
  if (isSeccompWord(configured)) return configured;
  const text = readTextFile(configured, "the configuration's seccomp-profile", seccompBytesMax);
  return checkSeccompProfile(text, `seccomp-profile ${configured}`);
}

import { RtError } from "../../base/errors.ts";
import { quote } from "../../base/invalid.ts";
import { readTextFile } from "../../base/text-file.ts";
import { checkSeccompProfile, seccompBytesMax } from "../../settings/seccomp-profile.ts";

const flag = "--security-opt seccomp";

/** The profile in `file`, in as few characters as can be. @throws RtError that names the file, and the line of a mistake */
export function readSeccompProfile(file: string): string {
  return checkSeccompProfile(textOf(file), `${flag}: ${file}`);
}

function textOf(file: string): string {
  try {
    return readTextFile(file, flag, seccompBytesMax);
  } catch (error) {
    if (!(error instanceof RtError && error.code === "not-found")) throw error;
    const want = "want builtin, unconfined or a profile's file";
    throw new RtError("not-found", `${flag}=${quote(file)}: there is no such file: ${want}`);
  }
}

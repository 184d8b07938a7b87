import { RtError } from "../base/errors.ts";
import { invalid, quote } from "../base/invalid.ts";

/**
 * `--storage-opt size=10g`: how large a container's own files may become. That is a project quota of the file system that they
 * are on, and those are not set yet: a limit that does not hold is worse than none.
 * @throws RtError unsupported, near Docker's words; invalid-argument: it is none of the options that there are
 */
export function refuseStorageOptions(options: readonly string[], what: string): void {
  for (const option of options) {
    const name = option.split("=", 1)[0]!;
    if (name.toLowerCase() !== "size")
      throw invalid(`invalid ${what} ${quote(option)}: unknown option ${name}`);
    if (!/^size=\d+(\.\d+)? ?([kmgtp]?(i?b)?)$/i.test(option))
      throw invalid(`invalid ${what} ${quote(option)}: want size=BYTES, such as size=10g`);
    throw new RtError(
      "unsupported",
      `${what} is supported only over xfs or ext4 with project quotas, which rt does not set yet (-v of a volume with type=tmpfs and o=size=… has a limit)`,
    );
  }
}

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { type Infer, object, optional, ShapeError, text } from "../base/shape.ts";

/**
 * The options of a volume that has a file system of its own: `opts.json` beside its `_data`, in Docker's shape. It says what is
 * mounted there whatever has happened to the database; and whoever mounts or unmounts holds its lock.
 */
const shape = object({
  MountType: optional(text),
  MountOpts: optional(text),
  MountDevice: optional(text),
});
type OptionsDocument = Infer<typeof shape>;

const bytesMax = 64 * 1024;

export const optionsName = "opts.json";

/** Of the volume whose `_data` is at `data`. */
export function optionsFile(data: string): string {
  return join(data, "..", optionsName);
}

/** Before `_data` is there: from then on it is a volume. Without options there is no file. */
export function writeVolumeOptions(data: string, options: Readonly<Record<string, string>>): void {
  const path = optionsFile(data);
  const { type, o, device } = options;
  if (Object.keys(options).length === 0) {
    rmSync(path, { force: true });
    return;
  }
  const document: Required<OptionsDocument> & { Quota: { Size: number } } = {
    MountType: type ?? "",
    MountOpts: o ?? "",
    MountDevice: device ?? "",
    Quota: { Size: 0 },
  };
  writeFileSync(path, JSON.stringify(document), { mode: 0o600 });
}

/** @returns undefined where it is a directory and nothing else. @throws RtError data-loss */
export function readVolumeOptions(data: string): Record<string, string> | undefined {
  const path = optionsFile(data);
  try {
    const bytes = readFileSync(path);
    if (bytes.length > bytesMax) throw new ShapeError("it is too large");
    const { MountType, MountOpts, MountDevice } = shape(JSON.parse(bytes.toString()), "options");
    const options = { type: MountType, o: MountOpts, device: MountDevice };
    return Object.fromEntries(
      Object.entries(options).filter((each): each is [string, string] => Boolean(each[1])),
    );
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw new RtError("data-loss", `cannot read the options of a volume in ${path}: ${why}`, {
      cause: error,
    });
  }
}

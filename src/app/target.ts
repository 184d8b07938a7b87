import { realpathSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { asSystemError, codeOfErrno, isErrno, RtError, withCause } from "../base/errors.ts";
import { callerPath } from "../base/working-directory.ts";

/**
 * Where an app may be written: the path with its links resolved. What is there already must be a regular file, and not the
 * executable that runs, by whatever name.
 * @throws RtError invalid-argument | forbidden
 */
export function checkTarget(output: string, executable: string): string {
  const refused = (why: string) =>
    new RtError("invalid-argument", `cannot write the app to ${JSON.stringify(output)}: ${why}`);
  const target = resolve(callerPath(output, "the app's place"));
  const found = output === "" ? undefined : statOf(target);
  if (found === undefined) {
    if (output === "" || output.endsWith("/")) throw refused("that is no file's name");
    return target;
  }
  if (found.isDirectory()) throw refused("it is a directory, name a file in it");
  if (!found.isFile()) throw refused("it is not a regular file");
  const own = statSync(executable);
  if (found.dev === own.dev && found.ino === own.ino) throw refused("it is the running rt itself");
  return realpathSync(target);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw cannotWrite(path, error);
  }
}

/** Without the system call and the file that it was about, which is a temporary one's name. */
export function cannotWrite(path: string, error: unknown): RtError {
  const { code, message } = asSystemError(error) ?? {};
  if (code === undefined || message === undefined) return withCause(`cannot write ${path}`, error);
  if (code === "ENOENT")
    return new RtError("not-found", `cannot write ${path}: there is no such directory`, { cause: error });
  const text = `cannot write ${path}: ${message.replace(/, \w+ '.*$/s, "")}`;
  return new RtError(codeOfErrno(code), text, { cause: error });
}

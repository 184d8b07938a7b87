import { constants } from "node:fs";
import { mkdir, open, readdir, readlink, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isErrno, RtError, withCause } from "../base/errors.ts";
import { callerPath } from "../base/working-directory.ts";
import { folded, type JsonObject, objectIn, parseJson } from "../oci/json.ts";

const fileBytesMax = 1024 * 1024;
const linksMax = 40;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A credentials file's bytes. A FIFO or a device is not waited for, and of one that is too large nothing is read. */
export async function readCredentialsFile(path: string): Promise<Uint8Array> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  const file = await open(callerPath(path, "its name"), flags);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new RtError("invalid-argument", "not a regular file");
    if (stat.size > fileBytesMax)
      throw new RtError("exhausted", `it has ${stat.size} bytes: at most ${fileBytesMax} are accepted`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Undefined where there is none, and nobody has said that there is. */
export async function credentialsFileIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readCredentialsFile(path);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
    throw error;
  }
}

/** What a credentials file says. @throws RtError data-loss | exhausted; its contents are never quoted */
export function parseCredentialsFile(bytes: Uint8Array, what: string): JsonObject {
  return objectIn(parseJson(bytes, what, fileBytesMax), what);
}

/** Docker's own file, the one that is written to. @throws RtError invalid-argument: nothing says where */
export function dockerConfigFile(env: Readonly<Record<string, string | undefined>>): string {
  const directory = env.DOCKER_CONFIG || (env.HOME && join(env.HOME, ".docker"));
  if (directory) return callerPath(join(directory, "config.json"), "the directory of DOCKER_CONFIG");
  throw new RtError(
    "invalid-argument",
    "there is no place for credentials: neither DOCKER_CONFIG nor HOME is set",
  );
}

/** Excludes others that would write the file at the same time. */
export type LockFile = (path: string) => Promise<Disposable>;

/** One entry of "auths", as docker writes it. */
export type AuthEntry = Readonly<Record<string, unknown>>;

/**
 * Docker's file with other `auths`, written as docker writes it: JSON with tabs, for its owner alone, by a rename in the
 * directory of the file that the name leads to. What else it holds stays, to the letter. Nothing is written where nothing
 * changes, and one that cannot be understood is left alone.
 *
 * @param change gets the entries, and says what they shall be. What it does elsewhere, at a credential helper, comes before
 *   the file is replaced, and after all that can be known to fail.
 * @returns whether there was something to write
 */
export async function changeAuths(
  path: string,
  lock: LockFile,
  change: (auths: Map<string, AuthEntry>, whole: JsonObject) => Promise<void>,
): Promise<boolean> {
  const target = await whereItLeads(path);
  try {
    // The lock makes the file where there is none, and would open a FIFO.
    const isThere = (await credentialsFileIfThere(target)) !== undefined;
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    using _ = await lock(target);
    const written = await changeLocked(target, path, change).catch(async (error: unknown) => {
      if (!isThere) await unlink(target);
      throw error;
    });
    if (!written && !isThere) await unlink(target);
    return written;
  } catch (error) {
    throw withCause(`cannot change credentials file ${path}`, error);
  }
}

async function changeLocked(
  target: string,
  path: string,
  change: (auths: Map<string, AuthEntry>, whole: JsonObject) => Promise<void>,
): Promise<boolean> {
  const bytes = await readCredentialsFile(target);
  const what = `credentials file ${path}`;
  const whole = bytes.length === 0 ? {} : parseCredentialsFile(bytes, what);
  const name = Object.keys(whole).findLast((key) => folded(key) === "auths") ?? "auths";
  const before = objectIn(whole[name] ?? {}, `${what}: auths`);
  const auths = new Map(
    Object.entries(before).map(([key, entry]) => [key, objectIn(entry ?? {}, `${what}: auths`)]),
  );
  await using draft = await openDraft(target);
  await change(auths, whole);
  const after = Object.fromEntries([...auths].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (isSame(after, before)) return false;
  await draft.replace(rewritten(bytes, name, after));
  return true;
}

function isSame(a: JsonObject, b: JsonObject): boolean {
  return Object.keys(a).length === Object.keys(b).length && Bun.deepEquals(a, b);
}

/** The document with other entries; every other value as it was written, numbers too. */
function rewritten(bytes: Uint8Array, name: string, auths: JsonObject): string {
  const text = bytes.length === 0 ? "{}" : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const whole = JSON.parse(text, (_, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === "number" && source !== undefined ? JSON.rawJSON(source) : value,
  ) as JsonObject;
  const { [name]: _, ...rest } = whole;
  const merged = Object.hasOwn(whole, name) ? { ...whole, [name]: auths } : { [name]: auths, ...rest };
  return JSON.stringify(merged, undefined, "\t");
}

/**
 * A file beside `target` that can take its place: made before anything else is done, as a full disk or a directory that may not
 * be written to is known by it. To be called by who holds the lock: what others have left of theirs is dead.
 */
async function openDraft(target: string) {
  const [directory, name] = [dirname(target), basename(target)];
  for (const each of await readdir(directory))
    if (each.startsWith(name) && uuid.test(each.slice(name.length))) await unlink(join(directory, each));
  const path = `${target}${crypto.randomUUID()}`;
  const file = await open(path, "wx", 0o600);
  let isKept = false;
  return {
    async replace(text: string): Promise<void> {
      await file.writeFile(text);
      // Root may write to the file of somebody else, whose it stays.
      const { uid, gid } = await stat(target);
      if (uid !== process.geteuid?.()) await file.chown(uid, gid);
      await file.sync();
      await rename(path, target);
      isKept = true;
    },
    async [Symbol.asyncDispose]() {
      await file.close();
      if (!isKept) await unlink(path);
    },
  };
}

/** Through links to the file, or to where it would be. */
async function whereItLeads(path: string): Promise<string> {
  let at = path;
  for (let count = 0; count < linksMax; count++) {
    const link = await readlink(at).catch((error: unknown) => {
      if (isErrno(error, "EINVAL") || isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return undefined;
      throw withCause(`cannot change credentials file ${path}`, error);
    });
    if (link === undefined) return at;
    at = resolve(dirname(at), link);
  }
  throw new RtError("invalid-argument", `cannot change credentials file ${path}: its links lead in a circle`);
}

import { statSync } from "node:fs";
import { checkExecutable, ownExecutable } from "../../app/executable.ts";
import { packedPart } from "../../app/format.ts";
import { openPackedApp } from "../../app/own.ts";
import { RtError } from "../../base/errors.ts";
import { parseDocument } from "../../oci/manifest.ts";

/**
 * Is the app `path` whole: the executable in it, and every file of its image?
 * @returns the id of its image
 * @throws RtError data-loss: it is not, and where; invalid-argument: it is no app; not-found
 */
export async function checkApp(path: string): Promise<string> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new RtError("not-found", `${path} does not exist`);
  if (!stat.isFile()) throw new RtError("invalid-argument", `${path} is no app: it is not a regular file`);
  const part = packedPart(path);
  if (part === undefined)
    throw new RtError("invalid-argument", `${path} is no app: rt pack makes one, and it may be cut short`);
  await checkExecutable(path, part);
  const { files, manifest } = openPackedApp(`${part.offset},${part.length}`, path);
  await files.verify();
  const name = `blobs/${manifest.digest.replace(":", "/")}`;
  const document = parseDocument(files.document(name), manifest.mediaType, `${path}: ${name}`);
  if (document.kind !== "manifest") throw new RtError("data-loss", `${path}: ${name} is not a manifest`);
  return document.config.digest;
}

/** The same of the executable that is running, without its image: why a start may have failed. @throws RtError data-loss */
export async function checkOwnExecutable(): Promise<void> {
  const part = packedPart(ownExecutable);
  if (part !== undefined) await checkExecutable(ownExecutable, part);
}

import { RtError } from "../base/errors.ts";
import { shown } from "../oci/json.ts";
import { canonical, parse } from "../reference/reference.ts";
import { type ArchivedImage, imagesIn } from "./archive-images.ts";
import { LayoutSource } from "./layout.ts";
import { localNameOf } from "./local-name.ts";
import type { Source } from "./source.ts";
import { openTar } from "./tar-files.ts";

/** `docker-archive:FILE[:REF]`: what `docker save` writes; REF is a tag in it, or @N for the N-th image. */
export async function openDockerArchive(
  name: string,
  path: string,
  wanted: string | undefined,
): Promise<Source> {
  const tar = await openTar(path);
  return tar.closedOnError(async () => {
    const image = selectImage(await imagesIn(tar), wanted, name);
    const own = image.names.find((tag) => sameReference(tag, wanted)) ?? image.names[0];
    return new LayoutSource(name, localNameOf(path, own), tar, await image.root());
  });
}

function selectImage(
  images: readonly ArchivedImage[],
  wanted: string | undefined,
  name: string,
): ArchivedImage {
  const number = /^@([0-9]{1,6})$/.exec(wanted ?? "")?.[1];
  const found =
    number !== undefined
      ? images[Number(number)]
      : wanted !== undefined
        ? images.find(({ names }) => names.some((tag) => sameReference(tag, wanted)))
        : images[0];
  const tags = images.flatMap((image) => image.names);
  const there = tags.length === 0 ? "no tags" : tags.slice(0, 8).map(shown).join(", ");
  if (wanted === undefined && images.length > 1) {
    throw new RtError("invalid-argument", `${name} holds ${images.length} images, name one of: ${there}`);
  }
  if (found) return found;
  throw new RtError("not-found", `${name}: no such image in the archive; it has ${there}`);
}

function sameReference(tag: string, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted.startsWith("@")) return false;
  return (
    tag === wanted || tag === canonical(parse(wanted)) || canonicalOrSelf(tag) === canonical(parse(wanted))
  );
}

/** The archive's own words need not be a reference. */
function canonicalOrSelf(tag: string): string {
  try {
    return canonical(parse(tag));
  } catch (error) {
    if (error instanceof RtError) return tag;
    throw error;
  }
}

/** An element of what DELETE /images/NAME answers: a name that is gone, or an image or a layer. */
export type ImageDeleteItem = { Untagged: string } | { Deleted: string };

/** As `rmi` says it. */
export function imageDeleteText(item: ImageDeleteItem): string {
  return "Untagged" in item ? `Untagged: ${item.Untagged}` : `Deleted: ${item.Deleted}`;
}

/** What POST /images/prune answers. */
export interface PrunedImages {
  ImagesDeleted: ImageDeleteItem[];
  /** Bytes of the disk: of blobs and of unpacked layers. */
  SpaceReclaimed: number;
}

import type { HistoryEntry } from "../oci/image-config.ts";
import { secondsOf } from "./time.ts";

/** An element of GET /images/NAME/history: a step by which the image was made, and the layer that it left. */
export interface ImageHistoryItem {
  /** The image's own of the last step; of the others nobody knows one. */
  Id: string;
  /** Seconds since the epoch; 0 when nobody says. */
  Created: number;
  CreatedBy: string;
  /** Of the image, of its last step. */
  Tags: string[] | null;
  /** Bytes of the layer as it is unpacked. */
  Size: number;
  Comment: string;
}

const missing = "<missing>";

/**
 * The last step first. A config that tells of fewer steps than there are layers, or of more, is an honest one too: what it does
 * not tell of has no words, and what is not there has no bytes.
 * @param sizes of the unpacked layers, bottom first
 */
export function imageHistory(
  { id, tags }: { id: string; tags: string[] },
  entries: readonly HistoryEntry[],
  sizes: readonly number[],
): ImageHistoryItem[] {
  let layer = 0;
  const told = entries.map((entry) => item(entry, entry.empty_layer ? 0 : (sizes[layer++] ?? 0)));
  const steps = [...told, ...sizes.slice(layer).map((size) => item({}, size))].reverse();
  return steps.map((step, index) => (index === 0 ? { ...step, Id: id, Tags: tags } : step));
}

function item({ created = "", created_by = "", comment = "" }: HistoryEntry, Size: number): ImageHistoryItem {
  return {
    ...{ Id: missing, Created: secondsOf(created), CreatedBy: created_by, Tags: null },
    ...{ Size, Comment: comment },
  };
}

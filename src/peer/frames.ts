import { RtError } from "../base/errors.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { fieldsIn, parseJson, shown } from "../oci/json.ts";

/**
 * What two rts say to each other about one image, over a stream each way: stdin and stdout of `ssh HOST rt system receive`
 * (push) or `rt system send` (pull). One gives, the other takes; who called does not matter from the second line on.
 *
 *   giver                                                       taker
 *   "rt peer\n" hello {role: "give", speaks, patience_ms} ──>
 *                                                           <── "rt peer\n" hello {role: "take", speaks, patience_ms}
 *                                                           <── ask {image}                     only where the taker called
 *   image {name, digest, mediaType, size} ──────────────────>
 *                                                           <── want id {digest, size, offset}  several at once
 *   data id, data id, …, end id ────────────────────────────>
 *                                                           <── stop id                         no more of it
 *                                                           <── have {digest}                   it need not travel
 *                                                           <── done {digest}                   all of it is on record
 *   fail {code, message} by either: in place of a wanted blob where it has an id, else in place of everything
 *   ping by either, whenever it has said nothing for a third of the other's patience
 *
 * Manifests, configs and layers are all wanted by digest, from where an earlier transfer broke off. The giver gives nothing but
 * what the image is made of. The taker believes nothing that it has not checked the digest of.
 *
 * A frame is its kind, an id (0 where none is needed), the length of its payload (each 32 bits, big-endian), and the payload:
 * bytes of a blob in `data`, else JSON or nothing. Both sides are strangers to each other: a length is checked before anything
 * is made for it, and a kind that is not known ends the conversation. `speaks` lists the versions of this that a side knows; the
 * highest that both know is spoken.
 */
export const frameKinds = {
  hello: 1,
  ping: 2,
  fail: 3,
  ask: 4,
  image: 5,
  want: 6,
  data: 7,
  end: 8,
  stop: 9,
  have: 10,
  done: 11,
} as const;

export type PeerFrameKind = keyof typeof frameKinds;

export interface PeerFrame {
  kind: PeerFrameKind;
  id: number;
  payload: Uint8Array;
}

export const greeting = new TextEncoder().encode("rt peer\n");
export const dataBytesMax = 1 << 20;
const documentFrameBytesMax = 64 << 10;
const headerBytes = 12;

const kindByNumber: ReadonlyMap<number, PeerFrameKind> = new Map(
  Object.entries(frameKinds).map(([kind, number]) => [number, kind as PeerFrameKind]),
);

export function frameHeader(kind: PeerFrameKind, id: number, length: number): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, frameKinds[kind]);
  view.setUint32(4, id);
  view.setUint32(8, length);
  return bytes;
}

/** The JSON of a frame, read with care. */
export function fieldsOf({ kind, payload }: PeerFrame, who: string): ReturnType<typeof fieldsIn> {
  const what = `${who}${kind}`;
  return fieldsIn(parseJson(payload, what, documentFrameBytesMax), what);
}

/** @throws RtError data-loss: a stranger's word for a digest is none */
export function peerDigest(value: unknown, who: string): Digest {
  if (isDigest(value)) return value;
  throw new RtError("data-loss", `${who}${shown(value)} is no sha256 digest`);
}

/** Frames out of pieces of any size. `who` is for messages: "box: "; `heard` is told of each piece. */
export class PeerReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #who: string;
  readonly #heard: () => void;
  /** Has come, and was not asked for yet. */
  #rest: Uint8Array = new Uint8Array();
  #ended = false;

  constructor(pieces: AsyncIterable<Uint8Array>, who: string, heard: () => void = () => {}) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#who = who;
    this.#heard = heard;
  }

  /** Undefined: the stream ended. @throws RtError data-loss: something else than rt speaks */
  async greet(): Promise<true | undefined> {
    for (let at = 0; at < greeting.length; at++) {
      if (this.#rest.length === 0 && !(await this.#more())) return undefined;
      if (this.#rest[0] !== greeting[at]) {
        const said = new TextDecoder().decode(Buffer.concat([greeting.subarray(0, at), this.#rest]));
        throw this.#refused(
          `answers ${shown(said)}, which is not what rt says (does its shell print something?)`,
        );
      }
      this.#rest = this.#rest.subarray(1);
    }
    return true;
  }

  /** Undefined: the stream ended. @throws RtError data-loss | unsupported */
  async next(): Promise<PeerFrame | undefined> {
    const header = await this.#take(headerBytes);
    if (header === undefined) return undefined;
    const view = new DataView(header.buffer, header.byteOffset, headerBytes);
    const [number, id, length] = [view.getUint32(0), view.getUint32(4), view.getUint32(8)];
    const kind = kindByNumber.get(number);
    if (kind === undefined) {
      const text = `${this.#who}said something of a kind (${number}) that this rt does not know`;
      throw new RtError("unsupported", text);
    }
    if (length > (kind === "data" ? dataBytesMax : documentFrameBytesMax))
      throw this.#refused(`announces ${length} bytes of ${kind} at once`);
    const payload = await this.#take(length);
    return payload && { kind, id, payload };
  }

  async #take(length: number): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) return undefined;
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async #more(): Promise<boolean> {
    while (!this.#ended && this.#rest.length === 0) {
      const { done, value } = await this.#pieces.next();
      this.#heard();
      if (done) this.#ended = true;
      else this.#rest = value;
    }
    return !this.#ended;
  }

  #refused(why: string): RtError {
    return new RtError("data-loss", `${this.#who}it ${why}`);
  }
}

import { cancellation } from "../base/abort.ts";
import { RtError } from "../base/errors.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { documentBytesMax, integerIn, stringIn } from "../oci/json.ts";
import type { RawDocument } from "../oci/manifest.ts";
import type { Channel } from "../peer/channel.ts";
import { fieldsOf, type PeerFrame, peerDigest } from "../peer/frames.ts";
import { canonical, checkNewName, parse } from "../reference/reference.ts";
import { Incoming } from "./incoming.ts";
import { checkBytes, checkSize, resolveImage } from "./resolve.ts";
import type { ResolvedImage, Source } from "./source.ts";

/** What the other side says of its image; nothing of it is believed before its digest was checked. */
interface Offered {
  name: string;
  root: Descriptor;
}

/** An image that another rt has: the taker of peer/frames.ts. Each thing is asked for when it is wanted. */
export class PeerSource implements Source {
  readonly name: string;
  readonly reference: string;
  readonly #channel: Channel;
  readonly #offered: Offered;
  readonly #incoming = new Map<number, Incoming>();
  #lastId = 0;
  #failure: { error: unknown } | undefined;

  private constructor(channel: Channel, offered: Offered, name: string, reference: string) {
    this.#channel = channel;
    this.#offered = offered;
    this.name = name;
    this.reference = reference;
    void this.#hear();
  }

  /**
   * Asks for an image by its name there.
   * @param name what the user wrote: "ssh://box/alpine"
   * @param reference what it is called here: the other side has no say in that, or is believed where it is ourselves
   */
  static async asked(
    channel: Channel,
    image: string,
    name: string,
    reference: "its own" | "as asked",
  ): Promise<PeerSource> {
    const wanted = reference === "as asked" ? parse(image) : undefined;
    await channel.tell("ask", 0, { image });
    const offered = await offerOf(channel);
    if (wanted?.digest !== undefined && wanted.digest !== offered.root.digest) {
      const text = `${channel.who}its ${image} is ${offered.root.digest}: it has not kept the index that led to it`;
      throw new RtError("not-found", text);
    }
    return new PeerSource(channel, offered, name, wanted ? canonical(wanted) : offered.name);
  }

  /** The image that the other side has come to give, under the name that it says; a digest in that is the image's. */
  static async given(channel: Channel): Promise<PeerSource> {
    const offered = await offerOf(channel);
    const { digest, ...name } = parse(offered.name);
    checkNewName(name);
    const reference = canonical(digest ? { ...name, digest: offered.root.digest } : name);
    return new PeerSource(channel, offered, reference, reference);
  }

  async resolve(platform: Platform): Promise<ResolvedImage> {
    return resolveImage(this, await this.root(), (entry) => this.document(entry), platform);
  }

  async root(): Promise<RawDocument> {
    const { root } = this.#offered;
    const document = await this.document(root);
    checkBytes(document.bytes, root, "manifest", this.name);
    return document;
  }

  async document(entry: Descriptor): Promise<RawDocument> {
    checkSize(entry, "manifest", this.name);
    const parts: Uint8Array[] = [];
    for await (const piece of this.fetch(entry, 0)) parts.push(piece);
    return { bytes: Buffer.concat(parts), contentType: entry.mediaType };
  }

  async *fetch(
    { digest, size }: Descriptor,
    offset: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    if (this.#failure) throw this.#failure.error;
    const id = ++this.#lastId;
    const incoming = new Incoming();
    const stop = () => signal && incoming.fail(cancellation(signal));
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    this.#incoming.set(id, incoming);
    let have = offset;
    let isOver = false;
    try {
      await this.#channel.tell("want", id, { digest, size, offset });
      for (let piece = await incoming.next(); piece; piece = await incoming.next()) {
        have += piece.length;
        if (have > size) throw this.#wrongLength(digest, `more than ${size}`, size);
        yield piece;
      }
      isOver = true;
      if (have < size) throw this.#wrongLength(digest, `${have}`, size);
    } finally {
      this.#incoming.delete(id);
      incoming.end();
      signal?.removeEventListener("abort", stop);
      if (!isOver && !this.#failure) void this.#channel.send("stop", id, new Uint8Array());
    }
  }

  /** A layer that need not travel. */
  have(digest: Digest): void {
    void this.#channel.tell("have", 0, { digest });
  }

  /** All of it is on record here. */
  async done(digest: Digest): Promise<void> {
    await this.#channel.tell("done", 0, { digest });
  }

  /** @returns false when the other side has gone, and nobody was told */
  refuse(error: unknown): Promise<boolean> {
    return this.#channel.fail(error);
  }

  async close(): Promise<void> {
    const isOver = this.#failure === undefined;
    this.#failure ??= { error: new RtError("internal", `${this.name} is closed`) };
    await this.#channel.close(isOver);
  }

  /** All that the other side says, to whom it is for. While a reader is slow nothing more is taken in. */
  async #hear(): Promise<void> {
    try {
      for (;;) await this.#take(await this.#channel.receive());
    } catch (error) {
      this.#failure ??= { error };
      for (const incoming of this.#incoming.values()) incoming.fail(error);
    }
  }

  async #take(frame: PeerFrame): Promise<void> {
    const incoming = this.#incoming.get(frame.id);
    if (frame.id === 0 || frame.id > this.#lastId) throw this.#channel.unexpected(frame);
    if (frame.kind === "data") await incoming?.bring(frame.payload);
    else if (frame.kind === "end") incoming?.end();
    else if (frame.kind === "fail") incoming?.fail(this.#channel.failureIn(frame));
    else throw this.#channel.unexpected(frame);
  }

  #wrongLength(digest: Digest, length: string, size: number): RtError {
    const text = `${this.#channel.who}it gave ${length} of the ${size} bytes of ${digest}`;
    return new RtError("data-loss", text);
  }
}

async function offerOf(channel: Channel): Promise<Offered> {
  const frame = await channel.receive();
  if (frame.kind !== "image") throw channel.unexpected(frame);
  const field = fieldsOf(frame, channel.who);
  const what = `${channel.who}image`;
  const root = {
    mediaType: stringIn(field("mediaType"), `${what}.mediaType`),
    digest: peerDigest(field("digest"), channel.who),
    size: integerIn(field("size"), `${what}.size`, 1),
  };
  if (root.size > documentBytesMax)
    throw new RtError("exhausted", `${what} has a manifest of ${root.size} bytes: refused`);
  return { name: stringIn(field("name") ?? "", `${what}.name`), root };
}

import { cancellation } from "../base/abort.ts";
import { RtError } from "../base/errors.ts";
import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { integerIn } from "../oci/json.ts";
import type { Channel } from "../peer/channel.ts";
import { dataBytesMax, fieldsOf, type PeerFrame, peerDigest } from "../peer/frames.ts";
import { canonical, type Reference } from "../reference/reference.ts";
import type { ComingImage, Destination, Placed, PutOptions } from "./destination.ts";

/** More wants at once than any rt has. */
const wantsMax = 16;

export interface PeerDestinationOptions {
  /** What the user wrote: "ssh://box". */
  name: string;
  /** What the image is to be called there, in the place of its own name. */
  called?: Reference | undefined;
  /** The other side has called, and may go when it has what it wants. */
  mayLeave?: boolean;
}

/** A blob's way there, for whoever has put it. */
interface Watch {
  sent: number;
  onProgress: (bytes: number) => void;
  placed: PromiseWithResolvers<Placed>;
}

/**
 * Another rt: the giver of peer/frames.ts. Which blobs travel, when, and from where on, is for the other side to say, which
 * unpacks them as they come: so all that an image is made of is announced first, and `putBlob` looks on.
 */
export class PeerDestination implements Destination {
  readonly name: string;
  readonly takesForeign = true;
  readonly #channel: Channel;
  readonly #options: PeerDestinationOptions;
  readonly #watches = new Map<Digest, Watch>();
  readonly #wants = new Map<number, AbortController>();
  readonly #done = Promise.withResolvers<void>();
  #image: ComingImage | undefined;
  /** Why something could not be given: what the other side makes of it says less. */
  #cause: unknown;
  #isOver = false;

  constructor(channel: Channel, options: PeerDestinationOptions) {
    this.#channel = channel;
    this.#options = options;
    this.name = options.name;
    this.#done.promise.catch(() => undefined);
  }

  async announce(image: ComingImage): Promise<void> {
    const called = this.#options.called ?? image.names[0];
    const { digest, mediaType, bytes } = image.root;
    if (!called && !this.#options.mayLeave) {
      const text = `${this.name} needs a name for an image that has none: ssh://HOST/NAME`;
      throw new RtError("invalid-argument", text);
    }
    this.#image = image;
    const name = called ? canonical(called) : "";
    await this.#channel.tell("image", 0, { name, digest, mediaType, size: bytes.length });
    void this.#hear();
  }

  async putBlob(blob: Descriptor, _: unknown, { signal, onProgress }: PutOptions): Promise<Placed> {
    const watch = this.#watchOf(blob.digest);
    watch.onProgress = onProgress;
    if (watch.sent > 0) onProgress(watch.sent);
    const stop = () => watch.placed.reject(cancellation(signal));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      return await watch.placed.promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async putDocument(): Promise<void> {}

  async putImage(): Promise<void> {}

  commit(): Promise<void> {
    return this.#done.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const want of this.#wants.values()) want.abort();
    await this.#channel.close(this.#isOver);
  }

  async #hear(): Promise<void> {
    try {
      while (!this.#isOver) this.#take(await this.#next());
      this.#done.resolve();
      for (const { placed } of this.#watches.values()) placed.resolve({ how: "exists" });
    } catch (error) {
      const failure = this.#cause ?? error;
      this.#done.reject(failure);
      for (const { placed } of this.#watches.values()) placed.reject(failure);
    }
  }

  async #next(): Promise<PeerFrame | undefined> {
    try {
      return await this.#channel.receive();
    } catch (error) {
      const hasLeft = error instanceof RtError && error.code === "unavailable" && this.#cause === undefined;
      if (this.#options.mayLeave && hasLeft) return undefined;
      throw error;
    }
  }

  #take(frame: PeerFrame | undefined): void {
    const { who } = this.#channel;
    if (frame === undefined || frame.kind === "done") this.#isOver = true;
    else if (frame.kind === "want") this.#begin(frame);
    else if (frame.kind === "stop") this.#wants.get(frame.id)?.abort();
    else if (frame.kind === "have") {
      const digest = peerDigest(fieldsOf(frame, who)("digest"), who);
      if (this.#part(digest)) this.#watchOf(digest).placed.resolve({ how: "exists" });
    } else throw this.#channel.unexpected(frame);
  }

  #begin(frame: PeerFrame): void {
    const { who } = this.#channel;
    const field = fieldsOf(frame, who);
    const digest = peerDigest(field("digest"), who);
    const offset = integerIn(field("offset"), `${who}want.offset`);
    if (this.#wants.has(frame.id) || this.#wants.size >= wantsMax)
      throw new RtError("data-loss", `${who}it wants too much at once`);
    const stop = new AbortController();
    this.#wants.set(frame.id, stop);
    void this.#give(frame.id, digest, offset, stop.signal).finally(() => this.#wants.delete(frame.id));
  }

  /** Nothing but what the image is made of. */
  #part(digest: Digest): RawBlob | Descriptor | undefined {
    const { root, documents, blobs } = this.#image!;
    return [root, ...documents].find((each) => each.digest === digest) ?? blobs.get(digest);
  }

  async #give(id: number, digest: Digest, offset: number, signal: AbortSignal): Promise<void> {
    const part = this.#part(digest);
    try {
      if (!part) throw new RtError("not-found", `${digest} is no part of the image`);
      const size = "bytes" in part ? part.bytes.length : part.size;
      if (offset > size) throw new RtError("invalid-argument", `${digest} has ${size} bytes, not ${offset}`);
      if ("bytes" in part) await this.#pass(id, part.bytes.subarray(offset));
      else if (!(await this.#stream(id, part, offset, signal))) return;
      await this.#channel.send("end", id, new Uint8Array());
    } catch (error) {
      if (signal.aborted) return;
      if (part) this.#cause ??= error;
      await this.#channel.fail(error, id);
    }
  }

  /** @returns false when it is not wanted any more */
  async #stream(id: number, blob: Descriptor, offset: number, signal: AbortSignal): Promise<boolean> {
    const watch = this.#watchOf(blob.digest);
    watch.sent = offset;
    if (offset < blob.size) {
      for await (const piece of this.#image!.read(blob, offset, signal)) {
        if (signal.aborted || !(await this.#pass(id, piece))) return false;
        watch.sent += piece.length;
        watch.onProgress(watch.sent);
      }
    }
    watch.placed.resolve({ how: "sent" });
    return true;
  }

  async #pass(id: number, bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.length; at += dataBytesMax) {
      if (!(await this.#channel.send("data", id, bytes.subarray(at, at + dataBytesMax)))) return false;
    }
    return true;
  }

  #watchOf(digest: Digest): Watch {
    let watch = this.#watches.get(digest);
    if (!watch) {
      const placed = Promise.withResolvers<Placed>();
      placed.promise.catch(() => undefined); // nobody may be looking on yet
      watch = { sent: 0, onProgress: () => {}, placed };
      this.#watches.set(digest, watch);
    }
    return watch;
  }
}

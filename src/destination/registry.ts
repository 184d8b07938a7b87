import { RtError } from "../base/errors.ts";
import type { Descriptor, RawBlob } from "../oci/descriptor.ts";
import { canonical, type Reference, repositoryOf } from "../reference/reference.ts";
import { PushClient, type PushClientOptions } from "../registry/push-client.ts";
import type { ComingImage, Destination, Placed, PutOptions, ReadBlob } from "./destination.ts";

/** So many uploads fill a line that one would not; more only cost memory. Questions are cheap, and asked for all. */
const uploadsAtOnce = 4;

/** A repository of a registry, and the tag in it that is to lead to the image. Nothing of it is asked for before that is needed. */
export class RegistryDestination implements Destination {
  readonly name: string;
  readonly takesForeign = false;
  readonly atOnce = 16;
  readonly #wanted: Reference;
  readonly #client: PushClient;
  readonly #uploads = new Turns(uploadsAtOnce);
  /** Tags, and whether they lead to the image already. */
  readonly #tagged = new Map<string, Promise<boolean>>();
  /** Ends what is asked for without a signal of its own. */
  readonly #signal: AbortSignal;
  readonly #closing = new AbortController();

  constructor(wanted: Reference, options: PushClientOptions, signal?: AbortSignal) {
    if (wanted.digest)
      throw new RtError("invalid-argument", "cannot push a digest reference", { exitCode: 1 });
    this.name = canonical(wanted);
    this.#wanted = wanted;
    this.#client = new PushClient(wanted, options);
    this.#signal = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }

  /** Where the tags lead is asked while the blobs are, not after them: a round trip less. */
  async announce({ root, names }: ComingImage): Promise<void> {
    for (const tag of this.#tagsOf(names)) this.#tagged.set(tag, this.#leadsTo(tag, root));
  }

  async putBlob(blob: Descriptor, read: ReadBlob, options: PutOptions): Promise<Placed> {
    const { signal, elsewhere, onProgress } = options;
    if (await this.#client.hasBlob(blob, signal)) return { how: "exists" };
    const begun = await this.#client.mount(blob, elsewhere, signal);
    if (begun && "from" in begun) return { how: "mounted", from: begun.from };
    await this.#uploads.take(() => this.#client.upload(blob, read, signal, onProgress, begun));
    return { how: "sent" };
  }

  async putDocument(document: RawBlob): Promise<void> {
    const { digest } = document;
    if (await this.#client.hasManifest(digest, digest, this.#signal)) return;
    await this.#client.putManifest(digest, document, this.#signal);
  }

  async putImage(root: RawBlob, names: readonly Reference[]): Promise<void> {
    for (const tag of this.#tagsOf(names)) {
      const isThere = this.#tagged.get(tag) ?? this.#leadsTo(tag, root);
      if (!(await isThere)) await this.#client.putManifest(tag, root, this.#signal);
    }
  }

  /** What goes wrong with the question, its PUT meets too, and tells. */
  #leadsTo(tag: string, root: RawBlob): Promise<boolean> {
    return this.#client.hasManifest(tag, root.digest, this.#signal).catch(() => false);
  }

  /** Of several names those in this repository count, as the tags that they have there. */
  #tagsOf(names: readonly Reference[]): string[] {
    const own = names.filter((name) => repositoryOf(name) === repositoryOf(this.#wanted));
    return (own.length > 0 ? own : [this.#wanted]).flatMap(({ tag }) => tag ?? []);
  }

  async commit(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#client.close();
  }
}

/** At most so many at once; the others wait in the order in which they came. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async take<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

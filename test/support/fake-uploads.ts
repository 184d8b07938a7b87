import { digestOf } from "../../src/oci/digest.ts";
import type { SeenRequest, Wire } from "./fake-registry.ts";

/** The uploading half of a registry that keeps to the rules (distribution-spec, "Pushing blobs"). */
export class FakeUploads {
  /** What of the Location that is given out differs: relative by default. */
  location = (path: string): string => path;
  /** A blob that lies in one of these repositories can be mounted from there. */
  readonly mountable = new Set<string>();
  readonly #blobs: Map<string, Uint8Array>;
  readonly #uploads = new Map<string, Uint8Array>();
  #begun = 0;

  constructor(blobs: Map<string, Uint8Array>) {
    this.#blobs = blobs;
  }

  /** Uploads that have begun and not ended. */
  get open(): number {
    return this.#uploads.size;
  }

  /** More bytes for the upload at `path`. */
  take(path: string, bytes: Uint8Array): void {
    const key = keyOf(path);
    const before = this.#uploads.get(key);
    if (before) this.#uploads.set(key, Buffer.concat([before, bytes]));
  }

  forget(): void {
    this.#uploads.clear();
  }

  /** @returns whether the request was one for it */
  serve(request: SeenRequest, wire: Wire): boolean {
    const { method, path } = request;
    if (!path.includes("/blobs/uploads/")) return false;
    if (method === "POST") this.#begin(path, wire);
    else if (!this.#uploads.has(keyOf(path)))
      wire.reply(404, {}, fault("BLOB_UPLOAD_UNKNOWN", "upload unknown"));
    else if (method === "GET") this.#status(204, path, wire);
    else if (method === "DELETE") {
      this.#uploads.delete(keyOf(path));
      wire.reply(204);
    } else if (method === "PATCH") this.#patch(request, wire);
    else this.#end(request, wire);
    return true;
  }

  #begin(path: string, wire: Wire): void {
    const [bare, query] = path.split("?") as [string, string?];
    const asked = new URLSearchParams(query);
    const [mount, from] = [asked.get("mount"), asked.get("from")];
    const repository = bare.slice("/v2/".length, -"/blobs/uploads/".length);
    if (mount && this.#blobs.has(mount) && this.mountable.has(from ?? "")) {
      wire.reply(201, { Location: `/v2/${repository}/blobs/${mount}`, "Docker-Content-Digest": mount });
      return;
    }
    const key = `${bare}${++this.#begun}`;
    this.#uploads.set(key, new Uint8Array(0));
    wire.reply(202, { Location: this.location(key), Range: "0-0" });
  }

  #status(status: number, path: string, wire: Wire): void {
    const { length } = this.#uploads.get(keyOf(path))!;
    wire.reply(status, { Location: this.location(keyOf(path)), Range: `0-${Math.max(0, length - 1)}` });
  }

  #patch({ path, headers, bytes }: SeenRequest, wire: Wire): void {
    const start = Number(/^([0-9]+)-/.exec(headers.get("content-range") ?? "")?.[1] ?? 0);
    if (start !== this.#uploads.get(keyOf(path))!.length) {
      this.#status(416, path, wire);
      return;
    }
    this.take(path, bytes);
    this.#status(202, path, wire);
  }

  #end({ path, bytes }: SeenRequest, wire: Wire): void {
    this.take(path, bytes);
    const whole = this.#uploads.get(keyOf(path))!;
    this.#uploads.delete(keyOf(path));
    const digest = new URLSearchParams(path.split("?")[1]).get("digest");
    if (digestOf(whole) !== digest) {
      wire.reply(400, {}, fault("DIGEST_INVALID", "provided digest did not match uploaded content"));
      return;
    }
    this.#blobs.set(digest, whole);
    wire.reply(201, { "Docker-Content-Digest": digest });
  }
}

function keyOf(path: string): string {
  return path.split("?", 1)[0]!;
}

export function fault(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}

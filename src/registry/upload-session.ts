import { RtError } from "../base/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { shown } from "../oci/json.ts";
import type { Answer } from "./answer.ts";
import type { RepositoryRequest } from "./endpoint-client.ts";

/** A blob's bytes from `offset` on, not checked. */
export type BlobReader = (
  blob: Descriptor,
  offset: number,
  signal?: AbortSignal,
) => AsyncIterable<Uint8Array>;

/** An upload as the registry has it. */
export interface UploadSession {
  /** Where the next request goes. */
  url: URL;
  /** Bytes that have arrived. */
  offset: number;
  /** All pieces but the last are to be as large; 0 where it does not say. */
  chunkBytesMin: number;
}

/** What an upload asks of a repository. */
export interface UploadRequests {
  /** For messages. */
  readonly host: string;
  hasBlob(blob: Descriptor, signal: AbortSignal): Promise<boolean>;
  /** @throws unavailable: no Location, or one that leads where nothing may be sent */
  begin(signal: AbortSignal): Promise<UploadSession>;
  /** What the registry has of an upload; undefined where that cannot be told, and it is to be begun anew. */
  status(url: URL, signal: AbortSignal): Promise<UploadSession | undefined>;
  /** Bytes of an upload, or its end. It is tried once: how to go on after a failure is the upload's to know. */
  send(request: Omit<RepositoryRequest, "accepted">): Promise<Answer>;
  /** Where `answer` says that an upload goes on. @param known where it was. @throws as `begin` */
  locationIn(answer: Answer, known?: URL): URL;
  /** As well as it goes: the registry forgets it anyway, sooner or later. */
  cancel(session: UploadSession, signal: AbortSignal): Promise<void>;
}

/** `Range: 0-1023`: so many bytes it has. Of one byte and of none, registries say the same. */
export function receivedIn(answer: Answer): number | undefined {
  const last = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(answer.headers.get("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

/** Docker-Content-Digest is what was made of it. @throws data-loss */
export function checkTaken(answer: Answer, digest: Digest, where: string): void {
  const taken = answer.headers.get("docker-content-digest");
  if (taken === null || taken === digest || (!isDigest(taken) && !taken.startsWith("sha256:"))) return;
  throw new RtError(
    "data-loss",
    `${where} takes ${digest} for ${shown(taken)}: something else has arrived there`,
  );
}

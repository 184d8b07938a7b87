import { RtError } from "../base/errors.ts";
import { natural, object, ShapeError, text } from "../base/shape.ts";
import { platformQuery } from "../docker/platform-query.ts";
import type { PushAllOptions, PushOptions, SentImage } from "../engine/image/push.ts";
import { digestShape } from "../oci/digest.ts";
import { canonical, familiarName, parse, type Reference } from "../reference/reference.ts";
import { pathOf } from "./api.ts";
import type { RemoteCaller } from "./caller.ts";
import { pushProgress, readMessages, type TransferMessage } from "./messages.ts";
import { authOf, trustOf } from "./pull.ts";
import { abortOf, onHostAlone } from "./stdio.ts";

const sentShape = object({ Tag: text, Digest: digestShape, Size: natural });

/** An image that the engine has, to where its name leads. */
export async function remotePush(
  caller: RemoteCaller,
  name: string,
  options: PushOptions,
): Promise<SentImage> {
  const reference = parse(name);
  const { destination } = options;
  if (destination !== undefined && canonicalOf(destination) !== canonical(reference))
    throw onHostAlone("a push to another name than the image's own");
  let last: SentImage | undefined;
  const query = { tag: reference.tag ?? "latest" };
  await send(caller, reference, options, query, (_, sent) => {
    last = sent;
  });
  if (last) return last;
  throw new RtError("data-loss", `the engine does not say what became of the push of ${name}`);
}

/** All tags that a repository has there. */
export async function remotePushAll(
  caller: RemoteCaller,
  repository: string,
  options: PushAllOptions,
): Promise<void> {
  await send(caller, parse(repository), options, {}, (tag, sent) => options.onSent?.(tag, sent));
}

async function send(
  caller: RemoteCaller,
  reference: Reference,
  options: PushAllOptions,
  query: { tag?: string },
  onSent: (tag: string, sent: SentImage) => void,
): Promise<void> {
  const { compression, compressionLevel, forceCompression, platform, onProgress, credentials } = options;
  if (compression !== undefined || compressionLevel !== undefined || forceCompression)
    throw onHostAlone("a push with another compression");
  const auth = await authOf(caller, reference, credentials);
  const { body } = await caller.api.send({
    method: "POST",
    path: pathOf`/images/${familiarName(reference)}/push`,
    query: { ...query, platform: platform && platformQuery(platform), ...(await trustOf(caller, options)) },
    // Docker wants the field, with nothing in it if need be.
    fields: auth.length > 0 ? auth : [["X-Registry-Auth", "e30="]],
    abort: abortOf(caller.session),
  });
  for await (const message of readMessages(body)) {
    const progress = pushProgress(message);
    if (progress) onProgress?.(progress);
    const sent = sentIn(message);
    if (sent) onSent(sent.Tag, { digest: sent.Digest, mediaType: "", size: sent.Size });
  }
}

function sentIn({
  aux,
}: TransferMessage): { Tag: string; Digest: SentImage["digest"]; Size: number } | undefined {
  if (aux === undefined) return undefined;
  try {
    return sentShape(aux, "aux");
  } catch (error) {
    if (error instanceof ShapeError) return undefined; // of something else
    throw error;
  }
}

function canonicalOf(text: string): string | undefined {
  try {
    return canonical(parse(text));
  } catch (error) {
    if (error instanceof RtError) return undefined; // a file, or another host's rt
    throw error;
  }
}

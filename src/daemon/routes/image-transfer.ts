import { RtError } from "../../base/errors.ts";
import { visible } from "../../base/visible.ts";
import { parsePlatformQuery } from "../../docker/platform-query.ts";
import { loadLines, type ProgressLine, pullLines, pushLines } from "../../docker/progress.ts";
import type { PullOptions } from "../../engine/image/pull.ts";
import type { PushProgress, SentImage } from "../../engine/image/push.ts";
import type { BodyWriter } from "../../http/server.ts";
import { kindOf } from "../../reference/kind.ts";
import {
  canonical,
  familiar,
  familiarName,
  parse,
  type Reference,
  repositoryOf,
} from "../../reference/reference.ts";
import type { ApiCall } from "../call.ts";
import { progressing, type Tell } from "../progress.ts";
import { credentialsOf, imageNameOf } from "./image.ts";

/** POST /images/create: a pull, or an import of what comes with the request. */
export async function postImageCreate(call: ApiCall): Promise<void> {
  if (call.query.text("fromImage") !== "") await pull(call);
  else await importImage(call);
}

/** A registry's image, or one that is in this executable: what a client names is never a file of this host's. */
async function pull(call: ApiCall): Promise<void> {
  const { query } = call;
  const name = query.text("fromImage").replace(/:$/, "");
  const isEmbedded = kindOf(name).kind === "embed";
  const named = parse(isEmbedded ? name : (imageNameOf(name, query.text("tag")) ?? ""));
  const platform = query.text("platform") || undefined;
  await progressing(call, async (tell) => {
    const lines = new PullLines(named, tell);
    const onProgress: PullOptions["onProgress"] = (move) => lines.layer(pullLines(move), move.status);
    const credentials = credentialsOf(call);
    const result = await call.engine.image
      .pull(isEmbedded ? name : canonical(named), { platform, credentials, onProgress })
      .catch((error: unknown) => {
        throw lines.hasBegun ? error : inDockersWords(error, named);
      });
    lines.end(result.status === "downloaded");
    tell({ status: `Digest: ${result.target}` });
    const what = result.status === "downloaded" ? "Downloaded newer image for" : "Image is up to date for";
    tell({ status: `Status: ${what} ${result.familiar}` });
  });
}

/** Of an image that is here already Docker has no line for each layer. */
class PullLines {
  readonly #named: Reference;
  readonly #tell: Tell;
  #held: ProgressLine[] = [];
  #isNew = false;
  hasBegun = false;

  constructor(named: Reference, tell: Tell) {
    this.#named = named;
    this.#tell = tell;
  }

  layer(lines: readonly ProgressLine[], status: string): void {
    this.#begin();
    if (status !== "waiting" && status !== "exists") this.#release();
    if (this.#isNew) for (const line of lines) this.#tell(line);
    else this.#held.push(...lines);
  }

  end(isDownloaded: boolean): void {
    this.#begin();
    if (isDownloaded) this.#release();
  }

  #begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    const { path, tag, digest } = this.#named;
    this.#tell({ status: `Pulling from ${path}`, id: digest ?? tag ?? "" });
  }

  #release(): void {
    this.#isNew = true;
    for (const line of this.#held.splice(0)) this.#tell(line);
  }
}

/** Clients look for these words, and for the status. */
function inDockersWords(error: unknown, named: Reference): unknown {
  if (!(error instanceof RtError)) return error;
  const why = error.message;
  if (error.code === "unauthorized")
    return new RtError(
      "not-found",
      `pull access denied for ${familiarName(named)}, repository does not exist or may require 'docker login': denied: ${why}`,
      { cause: error },
    );
  if (error.code === "unsupported" && why.includes("has no image for"))
    return new RtError("not-found", `no matching manifest in the manifest list entries: ${why}`, {
      cause: error,
    });
  if (error.code !== "not-found" || !why.includes("manifest")) return error;
  return new RtError("not-found", `manifest for ${familiar(named)} not found: manifest unknown: ${why}`, {
    cause: error,
  });
}

async function importImage(call: ApiCall): Promise<void> {
  const { query } = call;
  const source = query.text("fromSrc");
  if (source !== "-")
    throw new RtError(
      "unsupported",
      `fromSrc ${JSON.stringify(source.slice(0, 200))} is not fetched: want "-", and the archive as the request's body`,
    );
  const engine = call.engineFor({ stdio: { kind: "streams", stdin: call.body, output: () => undefined } });
  await progressing(call, async (tell) => {
    const id = await engine.image.import({
      source: "-",
      reference: imageNameOf(query.text("repo"), query.text("tag")),
      message: query.text("message"),
      changes: query.texts("changes"),
      platform: query.text("platform") || undefined,
    });
    tell({ status: id });
  });
}

/** POST /images/{name}/push */
export async function postImagePush(call: ApiCall): Promise<void> {
  const { query } = call;
  const name = call.param("name");
  const named = parse(imageNameOf(name, query.text("tag")) ?? "");
  const platform = call.since("1.46") ? parsePlatformQuery(query.text("platform")) : undefined;
  // Without a tag all that there are of the repository are meant.
  const isOne = query.text("tag") !== "" || /[:@][^/]*$/.test(name);
  await progressing(call, async (tell) => {
    tell({ status: `The push refers to repository [${repositoryOf(named)}]` });
    const onProgress = (move: PushProgress) => pushLines(move).forEach(tell);
    const onSent = (tag: string, { digest, size }: SentImage) => {
      tell({ status: `${tag}: digest: ${digest} size: ${size}` });
      tell({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
    };
    const how = { platform, credentials: credentialsOf(call), onProgress };
    const { image } = call.engine;
    if (isOne) onSent(named.tag ?? "", await image.push(canonical(named), how));
    else await image.pushAll(repositoryOf(named), { ...how, onSent });
  });
}

/** POST /images/load: whatever happens, it is told in the stream. */
export async function postImagesLoad(call: ApiCall): Promise<void> {
  const platform = call.since("1.48") ? parsePlatformQuery(call.query.text("platform")) : undefined;
  const isQuiet = call.query.flag("quiet", true);
  const engine = call.engineFor({ stdio: { kind: "streams", stdin: call.body, output: () => undefined } });
  const work = async (tell: Tell) => {
    await engine.image.load({
      platform,
      onProgress: (move) => !isQuiet && loadLines(move).forEach(tell),
      onLoaded: ({ id, names, taken }) => {
        for (const { name, from } of taken)
          tell({
            stream: `The image ${visible(name)} already exists, renaming the old one with ID ${from} to empty string\n`,
          });
        for (const name of names) tell({ stream: `Loaded image: ${visible(name)}\n` });
        if (names.length === 0) tell({ stream: `Loaded image ID: ${id}\n` });
      },
    });
  };
  await progressing(call, work, { always: true });
}

/** GET /images/{name}/get */
export function getImageArchive(call: ApiCall): Promise<void> {
  return save(call, [call.param("name")]);
}

/** GET /images/get */
export function getImagesArchive(call: ApiCall): Promise<void> {
  return save(call, call.query.texts("names"));
}

/** An archive that breaks off is known by its missing end. */
async function save(call: ApiCall, names: readonly string[]): Promise<void> {
  const platform = call.since("1.48") ? parsePlatformQuery(call.query.text("platform")) : undefined;
  let body: BodyWriter | undefined;
  const output = (_: string, bytes: Uint8Array) => {
    body ??= call.stream("application/x-tar");
    return body.write(bytes);
  };
  await call.engineFor({ stdio: { kind: "streams", output } }).image.save(names, {
    format: "docker-archive",
    ...(platform !== undefined && { platforms: [platform] }),
  });
  body ??= call.stream("application/x-tar");
  body.end();
}

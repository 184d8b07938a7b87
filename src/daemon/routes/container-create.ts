import { RtError } from "../../base/errors.ts";
import { invalid } from "../../base/invalid.ts";
import { parseContainerCreate } from "../../docker/container-create.ts";
import { asOfVersion } from "../../docker/container-create-versions.ts";
import { parseCreateName } from "../../docker/create-name.ts";
import type { ApiCall } from "../call.ts";

/** POST /containers/create: of an image that is here, or it is not found. Pulling is the client's affair. */
export async function postContainersCreate(call: ApiCall): Promise<void> {
  const { query } = call;
  const { document, warnings } = asOfVersion(await call.json(), (version) => !call.since(version));
  const { image, settings } = parseContainerCreate(document);
  const platform = (call.since("1.41") && query.text("platform")) || undefined;
  const pull = { policy: "never", platform, listener: undefined } as const;
  const name = parseCreateName(query.text("name"));
  const id = await created(call.engine.container.create({ image, pull, settings, name }));
  const told = call.warnings.map((line) => line.replace(/^warning: /i, ""));
  call.answer(201, { Id: id, Warnings: [...told, ...warnings] });
}

const imageIsGone = /^(No such |a layer of )?image\b|pull the image again$/;

/**
 * A conflict has Docker's words already, which clients look for: without ours in front of them. And only an image is not found:
 * clients pull it, and ask again. What else is not there, as a network, a directory to be bound, or the container whose volumes are
 * asked for, is a mistake.
 */
async function created(creation: Promise<string>): Promise<string> {
  try {
    return await creation;
  } catch (error) {
    if (!(error instanceof RtError)) throw error;
    if (error.code === "not-found" && !imageIsGone.test(error.message)) throw invalid(error.message);
    throw error.code === "conflict" && error.cause instanceof RtError ? error.cause : error;
  }
}

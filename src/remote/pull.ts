import { RtError } from "../base/errors.ts";
import { object } from "../base/shape.ts";
import { type RegistryCredentials, registryAuthHeader } from "../docker/registry-auth.ts";
import type { PulledImage, PullOptions } from "../engine/image/pull.ts";
import { type Digest, digestShape, isDigest } from "../oci/digest.ts";
import { kindOf } from "../reference/kind.ts";
import {
  canonical,
  familiar,
  familiarName,
  parse,
  type Reference,
  repositoryOf,
} from "../reference/reference.ts";
import { pathOf } from "./api.ts";
import { documentOf, type RemoteCaller } from "./caller.ts";
import { pullProgress, readMessages } from "./messages.ts";
import { abortOf, onHostAlone } from "./stdio.ts";

const identified = object({ Id: digestShape });

/**
 * The engine brings an image to where it is; the caller is told how far it is.
 * @param text a reference, or "embed:NAME" of an engine that is rt
 */
export async function remotePull(
  caller: RemoteCaller,
  text: string,
  options: PullOptions,
  abort: AbortSignal | undefined = abortOf(caller.session),
): Promise<PulledImage> {
  const { kind, rest } = kindOf(text);
  // Whoever asks an engine over a wire names no file of its host.
  if (kind !== "registry" && kind !== "embed") throw onHostAlone(`an image of ${kind}:`);
  const reference = kind === "embed" ? undefined : parse(rest);
  const name = reference ? familiar(reference) : text;
  const { body } = await caller.api.send({
    method: "POST",
    path: "/images/create",
    query: { ...sourceOf(reference, text), platform: options.platform, ...(await trustOf(caller, options)) },
    fields: reference ? await authOf(caller, reference, options.credentials) : [],
    abort,
  });
  let target: Digest | undefined;
  let isNew = false;
  for await (const message of readMessages(body)) {
    const progress = pullProgress(message);
    if (progress) options.onProgress?.(progress);
    const said = /^Digest: (\S+)$/.exec(message.status)?.[1];
    if (isDigest(said)) target = said;
    if (message.status.startsWith("Status: ")) isNew = !message.status.includes("up to date");
  }
  const { Id } = await documentOf(
    caller,
    identified,
    { method: "GET", path: pathOf`/images/${name}/json`, abort },
    "image",
  );
  return {
    image: { id: Id },
    name: reference ? canonical(reference) : text,
    familiar: name,
    target: target ?? Id,
    status: isNew ? "downloaded" : "up-to-date",
  };
}

function sourceOf(reference: Reference | undefined, text: string): { fromImage: string; tag?: string } {
  if (!reference) return { fromImage: text };
  return { fromImage: familiarName(reference), tag: reference.digest ?? reference.tag ?? "latest" };
}

/** Whom to trust is for the engine's host to say; one of ours lets itself be told. */
export async function trustOf(
  { api }: RemoteCaller,
  { tlsVerify }: { tlsVerify?: boolean | undefined },
): Promise<{ tlsVerify?: string }> {
  if (tlsVerify === undefined || tlsVerify) return {};
  if (await api.isOurs()) return { tlsVerify: "0" };
  const why = `the engine at ${api.address} decides by its own configuration which registries may be insecure`;
  throw new RtError("unsupported", `--tls-verify=false: ${why}`, { exitCode: 1 });
}

/** Who the caller is to that registry: as he says, or as his own host knows. */
export async function authOf(
  { own }: RemoteCaller,
  reference: Reference,
  credentials: RegistryCredentials | undefined,
): Promise<[string, string][]> {
  const host = credentials ? undefined : await own.engine?.();
  const known = credentials ?? (await host?.registry.credentials(repositoryOf(reference)));
  return known ? [["X-Registry-Auth", registryAuthHeader(known)]] : [];
}

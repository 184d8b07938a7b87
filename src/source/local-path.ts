import { RtError } from "../base/errors.ts";
import { callerPath } from "../base/working-directory.ts";
import { shown } from "../oci/json.ts";

/**
 * "PATH[:TAG]", what follows "oci:" and its like. As skopeo has it: the first colon ends the path.
 * @throws RtError invalid-argument | not-found
 */
export function splitPath(rest: string, kind: string): { path: string; tag: string | undefined } {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "") throw new RtError("invalid-argument", `${kind}: wants a path, as in ${kind}:/tmp/image`);
  if (tag === "") throw new RtError("invalid-argument", `${kind}:${shown(path)}: has an empty tag`);
  return { path: callerPath(path, `${kind}:`), tag };
}

/** What skopeo, podman or a browser would understand, and what as a name would be looked for at Docker Hub. */
export function rejectForeign(text: string): void {
  const transport = /^(docker-daemon|containers-storage|ostree|sif|tarball|dir(?=:[./]))(?=:)/.exec(
    text,
  )?.[0];
  if (transport) {
    throw new RtError(
      "unsupported",
      `${transport}: is none of rt's kinds: there are oci:, oci-archive:, docker-archive: and names of registries`,
    );
  }
  const address = /^https?:\/\/(.*)$/s.exec(text)?.[1];
  if (address !== undefined) {
    throw new RtError("invalid-argument", `an image's name has no scheme: write ${shown(address)}`);
  }
}

import { object } from "../base/shape.ts";
import type { CommitOptions } from "../engine/container/commit.ts";
import { digestShape } from "../oci/digest.ts";
import { familiarName, parse } from "../reference/reference.ts";
import { documentOf, type RemoteCaller } from "./caller.ts";

const made = object({ Id: digestShape });

/** A new image of what a container has. @returns its id */
export async function remoteCommit(
  caller: RemoteCaller,
  name: string,
  { reference, author, comment, changes, pause }: CommitOptions,
): Promise<string> {
  const { Id } = await documentOf(
    caller,
    made,
    {
      method: "POST",
      path: "/commit",
      query: { container: name, ...nameQuery(reference), author, comment, changes, pause: pause ? "1" : "0" },
      document: {},
    },
    "commit",
  );
  return Id;
}

/** What a new image is to be called, as the API has it; nothing where it has no name. @throws RtError invalid-argument */
export function nameQuery(reference: string | undefined): { repo?: string; tag?: string } {
  if (!reference) return {};
  const parsed = parse(reference);
  return { repo: familiarName(parsed), ...(parsed.tag !== undefined && { tag: parsed.tag }) };
}

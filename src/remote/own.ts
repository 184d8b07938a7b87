import { RtError } from "../base/errors.ts";
import { integer, listOf, object, type Shape, text } from "../base/shape.ts";
import type { JobDocument } from "../docker/job.ts";
import type { Explanation } from "../engine/container/why.ts";
import type { PortWish } from "../settings/port.ts";
import { pathOf } from "./api.ts";
import { documentOf, type RemoteCaller, tell } from "./caller.ts";
import { onHostAlone } from "./stdio.ts";

/**
 * What Docker's API has no word for: endpoints of rt's own, below /rt. An engine of another kind is not asked.
 *
 *   GET  /rt/containers/NAME/why           an Explanation
 *   POST /rt/containers/NAME/publish       {"Ports": PortWish[]}
 *   POST /rt/containers/NAME/unpublish     the same
 *   GET  /rt/jobs                          {"ID", "Name", "Target", "Since"}[]
 */
const explanation = object({
  ...{ id: text, name: text, status: text, exitCode: integer, headline: text },
  ...{ findings: listOf(text), lastLines: listOf(text) },
});

export async function remoteWhy(caller: RemoteCaller, name: string): Promise<Explanation> {
  await requireOurs(caller, "why");
  const request = { method: "GET", path: pathOf`/rt/containers/${name}/why` } as const;
  return documentOf(caller, explanation, request, "explanation");
}

export async function remotePublish(
  caller: RemoteCaller,
  name: string,
  ports: readonly PortWish[],
): Promise<void> {
  await requireOurs(caller, "publishing a port of one that exists");
  const path = pathOf`/rt/containers/${name}/publish`;
  await tell(caller, { method: "POST", path, document: { Ports: ports } });
}

export async function remoteUnpublish(
  caller: RemoteCaller,
  name: string,
  ports: readonly PortWish[],
): Promise<void> {
  await requireOurs(caller, "taking a port away");
  const path = pathOf`/rt/containers/${name}/unpublish`;
  await tell(caller, { method: "POST", path, document: { Ports: ports } });
}

const jobs = listOf(object({ ID: integer, Name: text, Target: text, Since: text })) satisfies Shape<
  JobDocument[]
>;

export async function remoteJobs(caller: RemoteCaller): Promise<JobDocument[]> {
  await requireOurs(caller, "system jobs");
  return documentOf(caller, jobs, { method: "GET", path: "/rt/jobs" }, "jobs");
}

/** @throws RtError unsupported */
async function requireOurs({ api }: RemoteCaller, verb: string): Promise<void> {
  if (await api.isOurs()) return;
  const { message } = onHostAlone(verb);
  throw new RtError("unsupported", `${message}, and that engine has to be rt`, { exitCode: 1 });
}

import type { JobDocument } from "../../docker/job.ts";
import type { ApiCall } from "../call.ts";

/** GET /rt/jobs: what is at work for whom, this request too. Docker has nothing like it. */
export function getJobs(call: ApiCall): void {
  const documents: JobDocument[] = call.jobs.list().map(({ id, name, target, since }) => ({
    ID: id,
    Name: name,
    Target: target,
    Since: new Date(since).toISOString(),
  }));
  call.answer(200, documents);
}

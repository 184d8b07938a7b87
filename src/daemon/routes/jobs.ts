import type { ApiCall } from "../call.ts";

/** GET /rt/jobs: what is at work for whom, this request too. Docker has nothing like it. */
export function getJobs(call: ApiCall): void {
  call.answer(
    200,
    call.jobs.list().map(({ id, name, target, since }) => ({
      ID: id,
      Name: name,
      Target: target,
      Since: new Date(since).toISOString(),
    })),
  );
}

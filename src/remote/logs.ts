import { flag, object } from "../base/shape.ts";
import type { LogsOptions } from "../engine/container/logs.ts";
import { containerPath, documentOf, type RemoteCaller } from "./caller.ts";
import { abortOf, writeOut } from "./stdio.ts";
import { isFramed, pour } from "./streams.ts";

const facts = object({ Config: object({ Tty: flag }) });

/** The log of a container, its two streams to the caller's two. */
export async function remoteLogs(caller: RemoteCaller, name: string, options: LogsOptions): Promise<void> {
  const { api, session } = caller;
  const { follow, tail, since, until, timestamps, details } = options;
  const { Config } = await documentOf(
    caller,
    facts,
    { method: "GET", path: containerPath(name, "/json") },
    "container",
  );
  const { body, fields } = await api.send({
    method: "GET",
    path: containerPath(name, "/logs"),
    query: {
      ...{ stdout: true, stderr: true, follow, timestamps, details, tail: tail ?? "all" },
      ...{ since: momentText(since), until: momentText(until) },
    },
    abort: abortOf(session),
  });
  await writeOut(session, (output) => pour(body, isFramed(fields, Config.Tty), output));
}

/** Seconds and nine digits, as the API has moments. */
export function momentText(time_ns: bigint | undefined): string | undefined {
  if (time_ns === undefined) return undefined;
  const digits = (time_ns < 0n ? 0n : time_ns).toString().padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

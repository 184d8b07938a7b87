import { RtError } from "../../base/errors.ts";
import { writePolicy } from "../../container/policy-file.ts";
import { replaceRecordCopy } from "../../container/state-file.ts";
import type { RestartPolicy } from "../../settings/restart.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { find } from "./find.ts";

export interface UpdateOptions {
  restart: RestartPolicy;
}

/** Change what can be changed of a container, running or not: what runs has it from its next end on. */
export async function updateContainer(host: Host, name: string, { restart }: UpdateOptions): Promise<void> {
  const { container } = await find(host, name);
  if (container.autoRemove && restart.name !== "no") {
    const message = "Restart policy cannot be updated because AutoRemove is enabled for the container";
    throw new RtError("conflict", message, { exitCode: 1 });
  }
  const bytes = host.containers.update(container.id, (record) => ({ ...record, restart }));
  const directory = host.stateOf(container.id);
  replaceRecordCopy(directory, bytes);
  writePolicy(directory, restart);
  containerEvent(host, container, "update");
}

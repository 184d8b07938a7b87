import { RtError, withCause } from "../../base/errors.ts";
import { replaceRecordCopy } from "../../container/state-file.ts";
import { recordOf } from "../../container/stored-container.ts";
import { parseContainerName } from "../../settings/identity.ts";
import type { Host } from "../host.ts";
import { containerEvent } from "../record-event.ts";
import { renameEventLines } from "./event-lines.ts";
import { find } from "./find.ts";

/** Give a container another name, running or not. @throws RtError invalid-argument; not-found; conflict: the name is taken */
export async function renameContainer(host: Host, name: string, newName: string): Promise<void> {
  if (name === "" || newName === "") throw invalid("Neither old nor new names may be empty");
  const { container } = await find(host, name);
  const wanted = parseNewName(newName);
  if (wanted === container.name) throw invalid("Renaming a container with the same name as its current name");
  try {
    const bytes = host.containers.rename(container, wanted);
    host.names.settle();
    replaceRecordCopy(host.stateOf(container.id), bytes);
    const renamed = host.containers.get(container.id);
    const record = recordOf(renamed);
    if (record?.healthcheck) renameEventLines(record, host.stateOf(container.id));
    containerEvent(host, renamed, "rename", { oldName: `/${container.name}` });
  } catch (error) {
    const { code, message } = withCause("Error when allocating new name", error);
    throw new RtError(code, message, { exitCode: 1 });
  }
}

function parseNewName(text: string): string {
  try {
    return parseContainerName(text, "name");
  } catch (error) {
    throw invalid(withCause("Error when allocating new name", error).message);
  }
}

function invalid(message: string): RtError {
  return new RtError("invalid-argument", message, { exitCode: 1 });
}

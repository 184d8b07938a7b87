import { containerPath, type RemoteCaller } from "./caller.ts";
import { writeAt } from "./file.ts";
import { abortOf, writeOut } from "./stdio.ts";

/** A container's root as an archive. @param file an open file of the caller's; his output unless it is given */
export async function remoteExport(caller: RemoteCaller, name: string, file?: number): Promise<void> {
  const { api, session } = caller;
  const { body } = await api.send({
    method: "GET",
    path: containerPath(name, "/export"),
    abort: abortOf(session),
  });
  if (file !== undefined) {
    for await (const piece of body) await writeAt(file, piece);
    return;
  }
  await writeOut(session, async (output) => {
    for await (const piece of body) await output("stdout", piece);
  });
}

import { RtError, withExitCode } from "../base/errors.ts";
import { listOf, object, text } from "../base/shape.ts";
import { containerCreate } from "../docker/container-create.ts";
import { given } from "../docker/zero.ts";
import type { CreateOptions, RunOptions } from "../engine/container/run-options.ts";
import { isNear, kindOf } from "../reference/kind.ts";
import { familiar, parse } from "../reference/reference.ts";
import type { AskedSettings } from "../settings/container-settings.ts";
import { attached, begin } from "./attach.ts";
import { containerPath, documentOf, type RemoteCaller } from "./caller.ts";
import { refuseOwnWishes } from "./own-wishes.ts";
import { remotePull } from "./pull.ts";

const created = object({ Id: text, Warnings: given(listOf(text), []) });

/** A new container of an image that is there, or is pulled as the policy says. @returns its id */
export async function remoteCreate(caller: RemoteCaller, options: CreateOptions): Promise<string> {
  const { image, pull: how, name } = options;
  const { policy, platform, listener } = how;
  const { session } = caller;
  const make = () =>
    documentOf(
      caller,
      created,
      {
        method: "POST",
        path: "/containers/create",
        query: { name, platform },
        document: documentFor(caller, options),
        abort: session.abort,
      },
      "created",
    );
  const bring = async () => {
    try {
      await remotePull(
        caller,
        image,
        { platform, onProgress: (progress) => listener?.progress(progress) },
        session.abort,
      );
    } finally {
      listener?.end();
    }
  };
  await refuseOwnWishes(caller.api, documentFor(caller, options));
  if (policy === "always") await bring();
  const { Id, Warnings } = await make().catch(async (error) => {
    if (policy !== "missing" || !(error instanceof RtError) || error.code !== "not-found") throw error;
    if (!(await isMissing(caller, image))) throw error;
    if (!isNear(image)) listener?.missing(familiar(parse(kindOf(image).rest)));
    await bring();
    return await make();
  });
  for (const warning of Warnings) session.warn(warning);
  return Id;
}

/** With the caller's terminal: its program has that size from the start. */
function documentFor({ session }: RemoteCaller, { image, settings }: CreateOptions) {
  const document = containerCreate(image, settings);
  const size = settings.tty ? session.terminalSize() : undefined;
  if (!size) return document;
  return { ...document, HostConfig: { ...document.HostConfig, ConsoleSize: [size.rows, size.columns] } };
}

/** Something else that it names may be missing, too: a network, a container. */
async function isMissing(caller: RemoteCaller, image: string): Promise<boolean> {
  try {
    await caller.api.done({
      method: "GET",
      path: `/images/${encodeURIComponent(image)}/json`,
      abort: caller.session.abort,
    });
    return false;
  } catch (error) {
    if (error instanceof RtError && error.code === "not-found") return true;
    throw error;
  }
}

/** A container's whole way. Where its program cannot be started nothing is left of it. @returns the program's exit status; 0 when it is detached */
export async function remoteRun(caller: RemoteCaller, options: RunOptions): Promise<number> {
  const { settings, detach, sigProxy } = options;
  const id = await remoteCreate(caller, options).catch((error) => {
    throw isForeign(error) ? withExitCode(error, 125) : error;
  });
  let isStarted = false;
  try {
    options.onCreated?.(id);
    if (detach) {
      await begin(caller, id, caller.session.abort);
      return 0;
    }
    const { tty, openStdin, autoRemove } = settings;
    const outputs = outputsOf(settings);
    const container = { id, tty, openStdin, autoRemove };
    return await attached(caller, container, {
      ...{ stdin: openStdin, sigProxy, isNew: true, startsIt: true, outputs },
      onStarted: () => {
        isStarted = true;
      },
    });
  } catch (error) {
    if (isStarted) throw error;
    await removeUnstarted(caller, id);
    throw isForeign(error) ? withExitCode(error, 125) : error;
  }
}

/** Which of a program's outputs come to the caller. Where none is named all do. */
function outputsOf({ attached: asked }: Pick<AskedSettings, "attached">) {
  const both = ["stdout", "stderr"] as const;
  const named = both.filter((stream) => asked.includes(stream));
  return asked.length === 0 ? both : named;
}

/** That it failed is told already. */
async function removeUnstarted({ api }: RemoteCaller, id: string): Promise<void> {
  const query = { force: true, v: true };
  await api.done({ method: "DELETE", path: containerPath(id), query }).catch(() => {});
}

/** Docker's own says nothing of an exit status: in place of its usual one there is that of a `run` that failed. */
function isForeign(error: unknown): boolean {
  return error instanceof RtError && error.exitCode === 1;
}

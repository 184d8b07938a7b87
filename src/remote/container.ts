import { integer, listOf, natural, object, text } from "../base/shape.ts";
import type { ContainerInspect } from "../docker/container-inspect.ts";
import { containerUpdate } from "../docker/container-update.ts";
import { formatFilters } from "../docker/filters.ts";
import { given } from "../docker/zero.ts";
import type { StopOptions } from "../engine/container/stop.ts";
import type { ContainerVerbs } from "../engine/engine.ts";
import { remoteAttach, remoteResize, remoteStart } from "./attach.ts";
import { containerPath, documentOf, type RemoteCaller, tell } from "./caller.ts";
import { remoteCommit } from "./commit.ts";
import { listContainers } from "./container-list.ts";
import { remoteCopyFrom, remoteCopyTo, remoteStat } from "./copy.ts";
import { remoteExec } from "./exec.ts";
import { remoteExport } from "./export.ts";
import { remoteLogs } from "./logs.ts";
import { remotePublish, remoteUnpublish, remoteWhy } from "./own.ts";
import { remoteCreate, remoteRun } from "./run.ts";
import { remoteStats } from "./stats.ts";
import { abortOf, onHostAlone } from "./stdio.ts";
import { waitFor } from "./wait.ts";

const texts = given(listOf(text), []);
const processes = object({ Titles: texts, Processes: given(listOf(texts), []) });
const pruned = object({ ContainersDeleted: texts, SpaceReclaimed: given(natural, 0) });
const warned = object({ Warnings: texts });
const changes = given(listOf(object({ Path: text, Kind: integer })), []);
/** As far as others than people look at it. */
const inspected = object({
  Id: text,
  Name: text,
  State: object({ Status: text }),
  Config: object({ Image: text }),
});

/** Of a change of a container's files, as the API has it. */
const kinds = ["C", "A", "D"] as const;

export function containerVerbs(caller: RemoteCaller): ContainerVerbs {
  const post = (name: string, verb: string, query = {}) =>
    tell(caller, { method: "POST", path: containerPath(name, verb), query });
  return {
    run: (options) => remoteRun(caller, options),
    attach: (name, options) => remoteAttach(caller, name, options),
    exec: (options) => remoteExec(caller, options),
    conclude: async () => {
      throw onHostAlone("container conclude");
    },
    restartByPolicy: async () => {
      throw onHostAlone("container restart by policy");
    },
    kill: async (name, signal) => void (await post(name, "/kill", { signal })),
    create: (options) => remoteCreate(caller, options),
    start: (name, options) => remoteStart(caller, name, options),
    restart: async (name, options) => void (await post(name, "/restart", stopQuery(options))),
    stop: async (name, options) => void (await post(name, "/stop", stopQuery(options))),
    async wait(name, { condition = "not-running", onWaiting } = {}) {
      const { status } = await waitFor(caller, name, condition, abortOf(caller.session));
      onWaiting?.();
      return status;
    },
    resize: (name, size) => remoteResize(caller, name, size),
    stat: (name, path) => remoteStat(caller, name, path),
    pause: async (name) => void (await post(name, "/pause")),
    unpause: async (name) => void (await post(name, "/unpause")),
    rename: async (name, newName) => void (await post(name, "/rename", { name: newName })),
    async update(name, options) {
      const document = containerUpdate(options);
      const request = { method: "POST", path: containerPath(name, "/update"), document } as const;
      const { Warnings } = await documentOf(caller, warned, request, "update");
      for (const warning of Warnings) caller.session.warn(warning);
    },
    top(name, psArguments) {
      const query = psArguments.length > 0 ? { ps_args: psArguments.join(" ") } : {};
      const request = { method: "GET", path: containerPath(name, "/top"), query } as const;
      return documentOf(caller, processes, request, "processes");
    },
    stats: (options) => remoteStats(caller, options),
    logs: (name, options) => remoteLogs(caller, name, options),
    publish: (name, ports) => remotePublish(caller, name, ports),
    unpublish: (name, ports) => remoteUnpublish(caller, name, ports),
    why: (name) => remoteWhy(caller, name),
    async diff(name) {
      const request = { method: "GET", path: containerPath(name, "/changes") } as const;
      const found = await documentOf(caller, (value, path) => changes(value, path), request, "changes");
      return found.map(({ Path, Kind }) => ({ kind: kinds[Kind] ?? "C", path: Path }));
    },
    commit: (name, options) => remoteCommit(caller, name, options),
    export: (name, file) => remoteExport(caller, name, file),
    copyFrom: (name, path, options) => remoteCopyFrom(caller, name, path, options),
    copyTo: (name, path, options) => remoteCopyTo(caller, name, path, options),
    list: (options) => listContainers(caller, options),
    async inspect(name, { size } = {}) {
      const request = { method: "GET", path: containerPath(name, "/json"), query: { size } } as const;
      return (await documentOf(caller, inspected, request, "container")) as unknown as ContainerInspect;
    },
    async remove(name, { force, volumes }) {
      const query = { force, v: volumes };
      await tell(caller, { method: "DELETE", path: containerPath(name), query });
    },
    prune({ filters }) {
      const query = { filters: formatFilters(filters) };
      return documentOf(caller, pruned, { method: "POST", path: "/containers/prune", query }, "pruned");
    },
  };
}

function stopQuery({ signal, timeout_s }: StopOptions): {
  signal?: string | undefined;
  t?: number | undefined;
} {
  return { signal, t: timeout_s };
}

import { flag, type Infer, listOf, natural, object, optional, type Shape, text } from "../base/shape.ts";
import { type DiskUsageAnswer, diskUsageOf } from "../docker/disk-usage.ts";
import { type EventMessage, parseEvent } from "../docker/event.ts";
import { formatFilters } from "../docker/filters.ts";
import type { Info } from "../docker/info.ts";
import { parseMoment } from "../docker/timestamp.ts";
import type { Version } from "../docker/version.ts";
import { given } from "../docker/zero.ts";
import type { SystemVerbs } from "../engine/engine.ts";
import type { EventsOptions } from "../engine/system/events.ts";
import { documentOf, type RemoteCaller } from "./caller.ts";
import { listElement } from "./container-list.ts";
import { imageElement } from "./image.ts";
import { momentText } from "./logs.ts";
import { remoteJobs } from "./own.ts";
import { abortOf, onHostAlone } from "./stdio.ts";
import { jsonLines } from "./streams.ts";
import { volumeDocumentShape } from "./volume.ts";

const word = given(text, "");
const count = given(natural, 0);
const no = given(flag, false);
const texts = given(listOf(text), []);

/** What docker has besides passes. */
const info = object({
  ...{ ServerVersion: word, Driver: word, LoggingDriver: word, CgroupDriver: word, CgroupVersion: word },
  ...{ KernelVersion: word, OperatingSystem: word, OSType: word, Architecture: word, Name: word },
  ...{ DockerRootDir: word, StateDir: word, DefaultRuntime: word, StoreLimit: count },
  ...{ Containers: count, ContainersRunning: count, ContainersPaused: count, ContainersStopped: count },
  ...{ Images: count, NCPU: count, MemTotal: count },
  ...{ MemoryLimit: no, SwapLimit: no, CpuCfsPeriod: no, CpuCfsQuota: no, CPUShares: no, CPUSet: no },
  ...{ PidsLimit: no, OomKillDisable: no, LiveRestoreEnabled: no },
  ...{ SecurityOptions: texts, CDISpecDirs: texts, Warnings: texts },
  DiscoveredDevices: given(listOf(object({ Source: word, ID: text })), []),
  Swarm: given(object({ LocalNodeState: word }), { LocalNodeState: "inactive" }),
}) as Shape<unknown> as Shape<Info>;

const version = object({
  ...{
    Version: text,
    ApiVersion: text,
    GitCommit: word,
    BuildTime: word,
    BunVersion: word,
    ZigVersion: word,
  },
  ...{ Os: word, Arch: word, KernelVersion: word },
}) satisfies Shape<Version>;

const volume: Shape<object> = (value, path) => {
  volumeDocumentShape(value, path);
  return used(value, path);
};
const used = object({
  UsageData: given(object({ Size: given(natural, 0), RefCount: given(natural, 0) }), {
    Size: 0,
    RefCount: 0,
  }),
});
const leftovers = object({ count: natural, active: natural, size: natural, reclaimable: natural });
const diskUsage = object({
  LayersSize: given(natural, 0),
  Images: given(listOf(imageElement), []),
  Containers: given(listOf(listElement), []),
  Volumes: given(listOf(volume), []),
  LayersReclaimable: optional(natural),
  Leftovers: optional(leftovers),
});

export function systemVerbs(caller: RemoteCaller): SystemVerbs {
  const refuse = (verb: string) => async () => {
    throw onHostAlone(verb);
  };
  return {
    events: (options) => events(caller, options),
    check: refuse("system check"),
    checkHost: refuse("system check"),
    async diskUsage() {
      const answer = await documentOf(caller, diskUsage, { method: "GET", path: "/system/df" }, "disk usage");
      return diskUsageOf({ ...answer, LayersReclaimable: reclaimable(answer) } as unknown as DiskUsageAnswer);
    },
    jobs: () => remoteJobs(caller),
    info: () => documentOf(caller, info, { method: "GET", path: "/info" }, "info"),
    seccomp: refuse("system seccomp"),
    unshare: refuse("unshare"),
    migrate: refuse("system migrate"),
    receive: refuse("the far end of a push"),
    send: refuse("the far end of a pull"),
    version: () => documentOf(caller, version, { method: "GET", path: "/version" }, "version"),
    up: refuse("system up"),
    down: refuse("system down"),
  };
}

/** Docker does not say it, and its own clients reckon it so. */
function reclaimable({ LayersSize, LayersReclaimable, Images }: Infer<typeof diskUsage>): number {
  const used = Images.filter(({ Containers }) => Containers > 0);
  const own = used.map(({ Size, SharedSize }) => Size - Math.max(0, SharedSize));
  return LayersReclaimable ?? Math.max(0, LayersSize - own.reduce((sum, size) => sum + size, 0));
}

/** What happens, as it happens. It is followed once this answers. @throws RtError invalid-argument: a moment or a filter that is none */
async function events(
  { api, session }: RemoteCaller,
  { since, until, filters }: EventsOptions,
): Promise<AsyncIterable<EventMessage>> {
  const now = Date.now();
  const moment = (what: "since" | "until", said: string | undefined) =>
    said === undefined || said === "" ? undefined : momentText(parseMoment(what, said, now));
  const { body } = await api.send({
    method: "GET",
    path: "/events",
    query: {
      ...{ since: moment("since", since), until: moment("until", until) },
      filters: formatFilters(filters),
    },
    abort: abortOf(session),
  });
  return told(body);
}

async function* told(body: AsyncIterable<Uint8Array>): AsyncGenerator<EventMessage> {
  for await (const line of jsonLines(body)) {
    const event = parseEvent(line);
    if (event) yield event;
  }
}

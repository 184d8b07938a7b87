import {
  containerFilters,
  containerPruneFilters,
  eventFilters,
  type FilterGrammar,
  imageFilters,
  imagePruneFilters,
  networkFilters,
  networkPruneFilters,
  searchFilters,
  systemPruneFilters,
  volumeFilters,
  volumePruneFilters,
} from "../../docker/filters.ts";
import { healthStatuses } from "../../docker/health-status.ts";
import type { Engine } from "../../engine/engine.ts";
import { logDrivers } from "../../settings/log.ts";
import { stackKinds } from "../../settings/network-stack.ts";
import type { Place } from "./place.ts";

/** Words that may stand at the cursor, and whether paths of the host may. */
export interface Candidates {
  words: { word: string; about?: string }[];
  files?: boolean;
  /** More of the word is to come. */
  open?: boolean;
}

const none: Candidates = { words: [] };
const plain = (text: string): Candidates => ({ words: text.split(" ").map((word) => ({ word })) });

/** Values that are known, by the flag's long name. */
const known: Readonly<Record<string, string>> = {
  "--cap-add":
    "ALL AUDIT_WRITE BPF CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK KILL MKNOD NET_ADMIN NET_BIND_SERVICE NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_CHROOT SYS_NICE SYS_PTRACE SYS_RESOURCE SYS_TIME",
  "--compression": "gzip zstd uncompressed",
  "--gpus": "all",
  "--log-driver": logDrivers.join(" "),
  "--log-level": "debug info warn error",
  "--arch": "386 amd64 arm arm64 loong64 mips64le ppc64le riscv64 s390x",
  "--os": "darwin freebsd linux windows",
  "--platform": "linux/amd64 linux/arm64",
  "--pull": "always missing never",
  "--restart": "no always on-failure unless-stopped",
  "--security-opt":
    "no-new-privileges seccomp=unconfined apparmor=unconfined label=disable systempaths=unconfined landlock=unconfined unmask=ALL",
  "--signal": "HUP INT KILL QUIT STOP CONT TERM USR1 USR2 WINCH",
  "--storage-driver": "overlay copy",
  "--type": "container image volume network exec",
};

const same: Readonly<Record<string, string>> = {
  "--cap-drop": "--cap-add",
  "--stop-signal": "--signal",
};

/** What `--filter` knows, by command. */
const filters: Readonly<Record<string, FilterGrammar>> = {
  ps: containerFilters,
  images: imageFilters,
  "volume ls": volumeFilters,
  "network ls": networkFilters,
  "network prune": networkPruneFilters,
  events: eventFilters,
  search: searchFilters,
  "system prune": systemPruneFilters,
  "image prune": imagePruneFilters,
  "container prune": containerPruneFilters,
  "volume prune": volumePruneFilters,
};

const filterValues: Readonly<Record<string, string>> = {
  "health=": healthStatuses.join(" "),
  "status=": "created running paused restarting exited",
  "dangling=": "true false",
  "is-automated=": "true false",
  "is-official=": "true false",
  "type=": "container image volume",
};

/** What a flag's value may be. @param canonical the command's first path: "ps" */
export async function valuesOf(
  place: Extract<Place, { kind: "value" }>,
  canonical: string,
  engine: () => Promise<Engine>,
): Promise<Candidates> {
  const long = place.option.names.find((name) => name.startsWith("--")) ?? place.name;
  if (long === "--filter") return filtersOf(place.text, canonical);
  if (long === "--network")
    return joined(
      joined(await networksOf(engine), plain(stackKinds.join(" "))),
      await containersOf(engine, () => true, "container:"),
    );
  const modes = Object.hasOwn(namespaceModes, long) ? namespaceModes[long] : undefined;
  if (modes !== undefined) return joined(plain(modes), await containersOf(engine, () => true, "container:"));
  if (long === "--time-offset") return { ...plain("boottime= monotonic="), open: true };
  if (long === "--volumes-from" || long === "--link") return containersOf(engine, () => true);
  if (long === "--volume") return { ...(await volumesOf(engine)), files: true, open: true };
  if (long === "--format" && canonical === "save") return plain("docker-archive oci-archive oci-dir");
  if (long === "--format") return plain(/\btable\b/.test(place.option.description) ? "json table" : "json");
  const words = known[same[long] ?? long];
  if (words !== undefined) return plain(words);
  return /^`[^`]*(FILE|DIRECTORY|PATH)/.test(place.option.description) ? { words: [], files: true } : none;
}

/** Besides those of other containers. */
const namespaceModes: Readonly<Record<string, string>> = {
  "--cgroupns": "host private",
  "--ipc": "host none private shareable",
  "--pid": "host private",
  "--userns": "auto host keep-id nomap private",
  "--uts": "host private",
};

function filtersOf(text: string, canonical: string): Candidates {
  const key = text.slice(0, text.indexOf("=") + 1);
  const values = Object.hasOwn(filterValues, key) ? filterValues[key] : undefined;
  if (values !== undefined) return { words: values.split(" ").map((value) => ({ word: key + value })) };
  const keys = filters[canonical]?.keys.filter((each) => !each.endsWith("!"));
  return keys === undefined || key !== ""
    ? none
    : { words: keys.map((each) => ({ word: `${each}=` })), open: true };
}

function joined(a: Candidates, b: Candidates): Candidates {
  return { ...a, words: [...a.words, ...b.words] };
}

const isLive = (state: string) => state === "running" || state === "paused";

/** Which containers a command is for; all where it does not stand here. */
const wanted: Readonly<Record<string, (state: string) => boolean>> = {
  attach: (state) => state === "running",
  exec: (state) => state === "running",
  kill: isLive,
  pause: (state) => state === "running",
  start: (state) => !isLive(state),
  stats: isLive,
  stop: (state) => isLive(state) || state === "restarting",
  top: isLive,
  unpause: (state) => state === "paused",
};

/** What an argument may be, by what the command's help calls it. */
export async function argumentsOf(
  { name = "", before }: Extract<Place, { kind: "argument" }>,
  canonical: string,
  engine: () => Promise<Engine>,
): Promise<Candidates> {
  const found = await byName(name, canonical, engine);
  return { ...found, words: found.words.filter(({ word }) => !before.includes(word)) };
}

async function byName(name: string, canonical: string, engine: () => Promise<Engine>): Promise<Candidates> {
  if (canonical === "inspect") {
    const lists = [await containersOf(engine, () => true), await imagesOf(engine), await volumesOf(engine)];
    return lists.reduce(joined);
  }
  // An archive, or a directory behind "oci:".
  if (/^(pull|push|image cp)$/.test(canonical)) return { ...(await imagesOf(engine)), files: true };
  if (canonical === "completion") return plain("bash zsh fish");
  if (canonical === "cp")
    return { ...(await containersOf(engine, () => true, "", ":")), files: true, open: true };
  const isImage = /^(IMAGE|MANIFEST|REPOSITORY)/.test(name) || canonical === "untag";
  if (isImage) return imagesOf(engine);
  if (/^VOLUME/.test(name)) return volumesOf(engine);
  // Of one that is to be made nobody knows the name.
  if (/^NETWORK/.test(name)) return canonical === "network create" ? none : networksOf(engine);
  if (/^CONTAINER/.test(name)) return containersOf(engine, wanted[canonical] ?? (() => true));
  return /FILE|PATH|DIR/.test(name) ? { words: [], files: true } : none;
}

async function containersOf(
  engine: () => Promise<Engine>,
  isWanted: (state: string) => boolean,
  start = "",
  end = "",
): Promise<Candidates> {
  const list = await (await engine()).container.list({ all: true, filters: {} });
  const fitting = list.filter(({ state }) => isWanted(state));
  return { words: fitting.map(({ name, status }) => ({ word: start + name + end, about: status })) };
}

async function imagesOf(engine: () => Promise<Engine>): Promise<Candidates> {
  const images = await (await engine()).image.list({});
  const names = images.flatMap(({ tags }) => tags.map(({ name }) => name));
  return { words: names.flatMap((name) => [name.replace(/:latest$/, "")]).map((word) => ({ word })) };
}

async function volumesOf(engine: () => Promise<Engine>): Promise<Candidates> {
  const volumes = await (await engine()).volume.list({ filters: {} });
  return { words: volumes.map(({ Name }) => ({ word: Name })) };
}

async function networksOf(engine: () => Promise<Engine>): Promise<Candidates> {
  const networks = await (await engine()).network.list({ filters: {} });
  return { words: networks.map(({ Name }) => ({ word: Name })) };
}

import type { CallerEnvironment } from "../../base/environment.ts";
import { RtError } from "../../base/errors.ts";
import { invalid, quote, rejectControl, rejectNul } from "../../base/invalid.ts";
import { parseSignal } from "../../base/signals.ts";
import type {
  CreateOptions,
  PullListener,
  PullPolicy,
  RunOptions,
} from "../../engine/container/run-options.ts";
import { type AskedSettings, defaultSettings } from "../../settings/container-settings.ts";
import {
  parseContainerName,
  parseHostname,
  parseUser,
  parseWorkingDirectory,
} from "../../settings/identity.ts";
import type { RtCommand } from "../command.ts";
import { requestedEnvironment } from "../parse/env.ts";
import { parseSize } from "../parse/size.ts";
import type { ContainerFlags } from "./container-flags.ts";
import type { AttachFlags } from "./program-flags.ts";

type MakingFlags = Omit<ContainerFlags, keyof RtCommand>;
type Flags = MakingFlags & AttachFlags;

/** The flags of `rt run`. @throws RtError as createOptions */
export function runOptions(
  flags: Flags,
  caller: CallerEnvironment,
  listener: PullListener | undefined,
): RunOptions {
  return { ...createOptions(flags, caller, listener), sigProxy: flags.sigProxy };
}

/**
 * The flags that say what a container is to be, checked and in the engine's units.
 *
 * @param listener told of a pull that turns out to be needed
 * @throws RtError invalid-argument | unsupported | not-found
 */
export function createOptions(
  flags: MakingFlags,
  caller: CallerEnvironment,
  listener: PullListener | undefined,
): CreateOptions {
  return {
    image: flags.image,
    pull: { policy: parsePull(flags.pull), platform: flags.platform, listener },
    settings: settingsOf(flags, caller),
    name: flags.name ? parseContainerName(flags.name, "--name") : undefined,
  };
}

function settingsOf(flags: MakingFlags, caller: CallerEnvironment): AskedSettings {
  const networkMode = parseNetwork(flags.network);
  const entrypoint = parseEntrypoint(flags.entrypoint);
  const shmSize = parseShmSize(flags.shmSize);
  return {
    ...defaultSettings(),
    ...seldomOptionsOf(flags, networkMode),
    command: flags.command.map((word) => rejectNul("argument", word)),
    ...(entrypoint && { entrypoint }),
    hostname: parseHostname(flags.hostname ?? "", "--hostname"),
    autoRemove: flags.rm,
    openStdin: flags.interactive,
    tty: flags.tty,
    env: requestedEnvironment(flags.envFiles, flags.env, caller),
    workingDirectory: parseWorkingDirectory(flags.workdir ?? "", "--workdir"),
    user: parseUser(flags.user ?? "", "--user"),
    groupAdd: flags.groupAdd.map((group) => rejectControl("--group-add", group)),
    ...(flags.stopSignal !== undefined && { stopSignal: parseSignal(flags.stopSignal).name }),
    readonlyRootfs: flags.readOnly,
    ...(shmSize !== undefined && { shmSize }),
    privileged: flags.privileged,
    init: flags.init,
    networkMode,
  };
}

/** Loaded where one of them is given. */
function seldomOptionsOf(
  flags: MakingFlags,
  networkMode: AskedSettings["networkMode"],
): Partial<AskedSettings> {
  if (seldomNames.every((name) => (flags[name] ?? "").length === 0)) return {};
  const { seldomOptions } = require("./seldom-options.ts") as typeof import("./seldom-options.ts");
  return seldomOptions(flags, networkMode);
}

const seldomNames = [
  ...(["labels", "labelFiles", "annotations", "volumes", "mounts", "tmpfs", "capAdd", "capDrop"] as const),
  ...(["securityOptions", "devices", "addHosts", "dns", "ulimits", "sysctls"] as const),
  ...(["logDriver", "logOptions", "restart", "stopTimeout", "volumesFrom"] as const),
] as const;

function parseNetwork(text: string): "none" | "host" {
  if (text === "none" || text === "host") return text;
  throw new RtError(
    "unsupported",
    `network ${quote(text)} is not there yet: bridge networks come in a later version; now there are none and host`,
  );
}

function parseEntrypoint(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  return text === "" ? [] : [rejectNul("--entrypoint", text)];
}

function parsePull(text: string): PullPolicy {
  if (text === "always" || text === "missing" || text === "never") return text;
  throw invalid(`invalid --pull ${quote(text)}: want always, missing or never`);
}

function parseShmSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text, "--shm-size");
  if (bytes === 0) throw invalid(`invalid --shm-size ${quote(text)}: must be more than 0`);
  return bytes;
}

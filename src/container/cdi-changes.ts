import { posix } from "node:path";
import { RtError } from "../base/errors.ts";
import type { CdiDeviceNode, CdiEdits } from "../oci/cdi-specification.ts";
import type { SpecDevice, SpecHooks, SpecMount } from "../oci/runtime-spec.ts";
import type { CdiEntry } from "./cdi-registry.ts";
import { findDevice } from "./devices.ts";

/** What is to change of a container that has these devices, in the words of the runtime specification. */
interface Changes {
  env: string[];
  devices: { device: SpecDevice; access: string }[];
  mounts: SpecMount[];
  hooks: SpecHooks;
  additionalGids: number[];
}

/** Whose a node is of which nothing else is said. */
type Owner = Pick<SpecDevice, "uid" | "gid">;

/**
 * What a specification has for all of its devices comes once, before the first of them.
 * @throws RtError not-found | invalid-argument | unsupported, which names the device and the file
 */
export function cdiChanges(entries: readonly CdiEntry[], owner: Owner): Changes {
  const changes: Changes = { env: [], devices: [], mounts: [], hooks: {}, additionalGids: [] };
  const seen = new Set<unknown>();
  for (const entry of entries) {
    const { specification, device } = entry;
    const isFirst = !seen.has(specification);
    seen.add(specification);
    try {
      if (isFirst) add(changes, specification.edits, owner);
      add(changes, device.edits, owner);
    } catch (error) {
      if (!(error instanceof RtError)) throw error;
      const message = `--device ${entry.name}: ${entry.file}: ${error.message}`;
      throw new RtError(error.code, message, { cause: error });
    }
  }
  return changes;
}

function add(changes: Changes, edits: CdiEdits, owner: Owner): void {
  for (const name of ["intelRdt", "netDevices"] as const)
    if (edits[name] !== undefined) throw new RtError("unsupported", `${name} is not done here`);
  changes.env.push(...(edits.env ?? []));
  changes.devices.push(...(edits.deviceNodes ?? []).map((node) => nodeOf(node, owner)));
  changes.mounts.push(...(edits.mounts ?? []).map(mountOf));
  changes.additionalGids.push(...(edits.additionalGids ?? []).filter((gid) => gid !== 0));
  for (const { hookName, ...hook } of edits.hooks ?? []) {
    changes.hooks[hookName] ??= [];
    changes.hooks[hookName].push(hook);
  }
}

/** What is not said is as on the host; runtimes have 0666 for a node of which no mode is said. */
function nodeOf(node: CdiDeviceNode, owner: Owner): { device: SpecDevice; access: string } {
  const type = node.type === "u" ? "c" : node.type;
  const access = node.permissions || "rwm";
  const path = posix.normalize(node.path);
  const rest = { fileMode: node.fileMode ?? 0o666, uid: node.uid ?? owner.uid, gid: node.gid ?? owner.gid };
  if (type !== undefined && (type === "p" || node.major))
    return { device: { path, type, major: node.major ?? 0, minor: node.minor ?? 0, ...rest }, access };
  const source = node.hostPath ?? node.path;
  const found = findDevice({ source, destination: path, permissions: access });
  if (type !== undefined && found.type !== type)
    throw new RtError("invalid-argument", `${source} is of type ${found.type}, and not ${type}`);
  return { device: { path, type: found.type, major: found.major, minor: found.minor, ...rest }, access };
}

function mountOf(mount: NonNullable<CdiEdits["mounts"]>[number]): SpecMount {
  const { hostPath: source, options = [], type = "" } = mount;
  const destination = posix.normalize(mount.containerPath).replace(/(?<=.)\/$/, "");
  if (destination === "/") throw new RtError("invalid-argument", "a mount on / is not possible");
  const isBind = type === "" || type === "bind" || type === "none";
  if (isBind && !source.startsWith("/"))
    throw new RtError("invalid-argument", `the mount's hostPath ${source} is not absolute`);
  if (!isBind) return { destination, type, source, options };
  const isSaid = options.includes("bind") || options.includes("rbind");
  return { destination, type: "bind", source, options: isSaid ? options : ["rbind", ...options] };
}

import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../../base/invalid.ts";
import { callerPath } from "../../base/working-directory.ts";
import type { MountRequest } from "../../settings/container-settings.ts";
import { cut } from "../../settings/labels.ts";
import { checkTmpfsOption, tmpfsDefaults } from "../../settings/tmpfs.ts";
import { destinationOf, isVolumeName, propagations } from "../../settings/volume.ts";
import { parseCsv } from "./csv.ts";
import { parseSize } from "./size.ts";

/** `--mount type=bind,src=/a,dst=/b,ro,bind-propagation=rslave`, as Docker's. @throws RtError invalid-argument */
export function parseMount(text: string): MountRequest {
  rejectControl("--mount", text);
  const fields = new Map<string, string>();
  const labels: Record<string, string> = {};
  for (const field of parseCsv(text, "--mount")) {
    const [rawKey, rawValue] = cut(field);
    const key = aliases.get(rawKey.toLowerCase()) ?? rawKey.toLowerCase();
    if (!keys.has(key)) throw invalid(`invalid --mount ${quote(text)}: unexpected key ${quote(rawKey)}`);
    if (rawValue === undefined && !bare.has(key)) {
      throw invalid(`invalid --mount ${quote(text)}: field ${quote(field)} must be key=value`);
    }
    if (key === "volume-label") {
      const [label, value] = cut(rawValue!);
      labels[label] = value ?? "";
    } else fields.set(key, rawValue ?? "true");
  }
  const type = typeOf(fields, text);
  rejectMixed(fields, labels, type, text);
  const destination = fields.get("target");
  if (!destination) throw invalid(`invalid --mount ${quote(text)}: target is required`);
  const mount = {
    type,
    destination: destinationOf(destination, `--mount ${quote(text)}`),
    readonly: boolean(fields, "readonly", text),
    createSource: false,
    labels,
  };
  if (type === "bind")
    return { ...mount, source: bindSource(fields, text), options: bindOptions(fields, text) };
  if (type === "volume") return { ...mount, ...volumePart(fields, text) };
  return { ...mount, source: noSource(fields, text), options: tmpfsOptions(fields, text) };
}

const aliases = new Map([
  ["src", "source"],
  ["dst", "target"],
  ["destination", "target"],
  ["ro", "readonly"],
]);
const bare = new Set(["readonly", "volume-nocopy", "bind-nonrecursive"]);
const keys = new Set([
  ...bare,
  ...["type", "source", "target", "consistency", "bind-propagation", "bind-recursive", "bind-create-src"],
  ...["volume-label", "volume-driver", "volume-opt", "volume-subpath", "tmpfs-size", "tmpfs-mode"],
]);

type Fields = ReadonlyMap<string, string>;

function typeOf(fields: Fields, text: string): MountRequest["type"] {
  const type = fields.get("type") ?? "volume";
  if (type === "bind" || type === "volume" || type === "tmpfs") return type;
  throw invalid(`invalid --mount ${quote(text)}: type ${quote(type)} is not bind, volume or tmpfs`);
}

function rejectMixed(fields: Fields, labels: Record<string, string>, type: string, text: string): void {
  const names = [...fields.keys(), ...(Object.keys(labels).length > 0 ? ["volume-label"] : [])];
  for (const name of names) {
    const owner = /^(bind|volume|tmpfs)-/.exec(name)?.[1];
    if (owner !== undefined && owner !== type) {
      throw invalid(`invalid --mount ${quote(text)}: cannot use ${name} with type ${type}`);
    }
    if (/^volume-(driver|opt|subpath)$/.test(name) && fields.get(name) !== "local") {
      throw invalid(
        `invalid --mount ${quote(text)}: ${name} is not there yet: volume drivers come in a later version`,
      );
    }
  }
}

function boolean(fields: Fields, name: string, text: string): boolean {
  const value = fields.get(name);
  if (value === undefined) return false;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`invalid --mount ${quote(text)}: ${name} wants true or false, not ${quote(value)}`);
}

function bindSource(fields: Fields, text: string): string {
  const source = fields.get("source");
  if (!source) throw invalid(`invalid --mount ${quote(text)}: source is required for type bind`);
  // As Docker's client: "./x" and ".." are relative to the caller, anything else must be absolute.
  const path = /^\.{1,2}(\/|$)/.test(source) ? posix.resolve(callerPath(source, "--mount source")) : source;
  if (!path.startsWith("/")) throw invalid(`invalid --mount ${quote(text)}: source must be an absolute path`);
  return posix.normalize(path).replace(/(.)\/$/, "$1");
}

function bindOptions(fields: Fields, text: string): string[] {
  const propagation = fields.get("bind-propagation") ?? "rprivate";
  if (!propagations.has(propagation)) {
    throw invalid(`invalid --mount ${quote(text)}: no bind-propagation ${quote(propagation)}`);
  }
  const recursive = fields.get("bind-recursive") ?? "enabled";
  if (!/^(enabled|disabled|readonly|writable)$/.test(recursive)) {
    throw invalid(`invalid --mount ${quote(text)}: no bind-recursive ${quote(recursive)}`);
  }
  if (recursive === "writable") {
    throw invalid(
      `invalid --mount ${quote(text)}: bind-recursive=writable is not there yet: ro is recursive`,
    );
  }
  const alone = recursive === "disabled" || boolean(fields, "bind-nonrecursive", text);
  return [alone ? "bind" : "rbind", propagation];
}

function volumePart(fields: Fields, text: string): Pick<MountRequest, "source" | "options"> {
  const source = fields.get("source") ?? "";
  if (source !== "" && !isVolumeName(source)) {
    throw invalid(
      `invalid --mount ${quote(text)}: ${quote(source)} is not a volume's name; for a path say type=bind`,
    );
  }
  return { source, options: boolean(fields, "volume-nocopy", text) ? ["nocopy"] : [] };
}

function noSource(fields: Fields, text: string): "" {
  if (fields.get("source")) throw invalid(`invalid --mount ${quote(text)}: type tmpfs has no source`);
  return "";
}

function tmpfsOptions(fields: Fields, text: string): string[] {
  const options = [...tmpfsDefaults];
  const size = fields.get("tmpfs-size");
  if (size !== undefined) options.push(`size=${parseSize(size, `--mount ${quote(text)}: tmpfs-size`)}`);
  const mode = fields.get("tmpfs-mode");
  if (mode !== undefined) options.push(checkTmpfsOption(`mode=${mode}`, `--mount ${quote(text)}`));
  return options;
}

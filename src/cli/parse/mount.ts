import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../../base/invalid.ts";
import { callerPath } from "../../base/working-directory.ts";
import type { MountRequest } from "../../settings/container-settings.ts";
import { cut } from "../../settings/labels.ts";
import { localOptionsProblem } from "../../settings/local-volume.ts";
import { propagations } from "../../settings/propagation.ts";
import { checkTmpfsOption, tmpfsDefaults } from "../../settings/tmpfs.ts";
import { checkChown, checkSubpath, destinationOf, isVolumeName, parseIdmap } from "../../settings/volume.ts";
import { parseCsv } from "./csv.ts";
import { parseSize } from "./size.ts";

/** What was said of one mount. */
interface Said {
  fields: Map<string, string>;
  labels: Record<string, string>;
  volumeOptions: Record<string, string>;
  /** The flag, for messages. */
  what: string;
}

/** `--mount type=bind,src=/a,dst=/b,ro,bind-propagation=rslave`, as Docker's and podman's. @throws RtError invalid-argument */
export function parseMount(text: string): MountRequest {
  rejectControl("--mount", text);
  const said = read(text);
  const { fields, what } = said;
  const type = typeOf(said);
  rejectMixed(said, type);
  const target = fields.get("target");
  if (!target) throw invalid(`invalid ${what}: target is required`);
  const mount: MountRequest = {
    type,
    source: "",
    destination: destinationOf(target, what),
    readonly: isReadonly(said, type),
    options: [],
    createSource: false,
    labels: said.labels,
    byMount: true,
    ...(boolean(said, "chown") && { chown: true }),
    ...(fields.has("idmap") && { idmap: parseIdmap(fields.get("idmap")!, what) }),
  };
  switch (type) {
    case "bind":
      return { ...mount, ...bindPart(said, mount) };
    case "volume":
      return { ...mount, ...volumePart(said) };
    case "image":
      return { ...mount, ...imagePart(said, mount) };
    case "tmpfs":
      if (fields.get("source")) throw invalid(`invalid ${what}: type tmpfs has no source`);
      return { ...mount, options: tmpfsOptions(said) };
  }
}

const aliases = new Map([
  ["src", "source"],
  ["dst", "target"],
  ["destination", "target"],
  ["ro", "readonly"],
  ["rw", "readwrite"],
  ["u", "chown"],
]);
const bare = new Set([
  "readonly",
  "readwrite",
  "volume-nocopy",
  "bind-nonrecursive",
  "bind-create-src",
  "chown",
  "idmap",
]);
const keys = new Set([
  ...bare,
  ...["type", "source", "target", "consistency", "relabel", "bind-propagation", "bind-recursive"],
  ...["volume-label", "volume-driver", "volume-opt", "volume-subpath", "image-subpath", "subpath"],
  ...["tmpfs-size", "tmpfs-mode"],
]);

function read(text: string): Said {
  const said: Said = { fields: new Map(), labels: {}, volumeOptions: {}, what: `--mount ${quote(text)}` };
  for (const field of parseCsv(text, "--mount")) {
    const [rawKey, rawValue] = cut(field);
    const key = aliases.get(rawKey.toLowerCase()) ?? rawKey.toLowerCase();
    if (!keys.has(key)) throw invalid(`invalid ${said.what}: unexpected key ${quote(rawKey)}`);
    if (rawValue === undefined && !bare.has(key))
      throw invalid(`invalid ${said.what}: field ${quote(field)} must be key=value`);
    const [name, value] = cut(rawValue ?? "");
    if (key === "volume-label") said.labels[name] = value ?? "";
    else if (key === "volume-opt") said.volumeOptions[name] = value ?? "";
    else said.fields.set(key, rawValue ?? (key === "idmap" ? "" : "true"));
  }
  return said;
}

function typeOf({ fields, what }: Said): MountRequest["type"] {
  const type = fields.get("type") ?? "volume";
  if (type === "bind" || type === "volume" || type === "tmpfs" || type === "image") return type;
  throw invalid(`invalid ${what}: type ${quote(type)} is not bind, volume, tmpfs or image`);
}

function rejectMixed({ fields, labels, volumeOptions, what }: Said, type: MountRequest["type"]): void {
  const names = [
    ...fields.keys(),
    ...(Object.keys(labels).length > 0 ? ["volume-label"] : []),
    ...(Object.keys(volumeOptions).length > 0 ? ["volume-opt"] : []),
  ];
  for (const name of names) {
    const owner = /^(bind|volume|tmpfs|image)-/.exec(name)?.[1];
    const isMisplaced =
      (owner !== undefined && owner !== type) ||
      (name === "subpath" && type !== "volume" && type !== "image") ||
      (name === "idmap" && type !== "bind" && type !== "volume") ||
      (name === "chown" && type === "image");
    if (isMisplaced) throw invalid(`invalid ${what}: cannot use ${name} with type ${type}`);
  }
  const relabel = fields.get("relabel") ?? "shared";
  if (relabel !== "shared" && relabel !== "private")
    throw invalid(`invalid ${what}: relabel wants shared or private, not ${quote(relabel)}`);
}

function boolean({ fields, what }: Said, name: string): boolean {
  const value = fields.get(name);
  if (value === undefined) return false;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`invalid ${what}: ${name} wants true or false, not ${quote(value)}`);
}

/** An image is written to by nobody, unless that is asked for. */
function isReadonly(said: Said, type: MountRequest["type"]): boolean {
  const { fields, what } = said;
  const [ro, rw] = [fields.has("readonly"), fields.has("readwrite")];
  if (ro && rw) throw invalid(`invalid ${what}: readonly and readwrite say the same thing twice`);
  if (ro) return boolean(said, "readonly");
  return rw ? !boolean(said, "readwrite") : type === "image";
}

function bindPart(said: Said, { chown, readonly }: MountRequest): Partial<MountRequest> {
  const { fields, what } = said;
  const source = bindSource(said);
  checkChown({ type: "bind", source, ...(chown && { chown }) });
  const propagation = fields.get("bind-propagation") ?? "rprivate";
  if (!propagations.has(propagation))
    throw invalid(`invalid ${what}: no bind-propagation ${quote(propagation)}`);
  const recursive = fields.get("bind-recursive") ?? "enabled";
  if (!/^(enabled|disabled|readonly|writable)$/.test(recursive))
    throw invalid(`invalid ${what}: no bind-recursive ${quote(recursive)}`);
  const below = recursive === "writable" || recursive === "readonly" ? recursive : undefined;
  const needed = (other: string) => invalid(`invalid ${what}: bind-recursive=${recursive} requires ${other}`);
  if (below && !readonly) throw needed("readonly");
  if (below === "readonly" && propagation !== "rprivate") throw needed("bind-propagation=rprivate");
  const alone = recursive === "disabled" || boolean(said, "bind-nonrecursive");
  return {
    source,
    options: [alone ? "bind" : "rbind", propagation],
    createSource: boolean(said, "bind-create-src"),
    ...(below && { below }),
  };
}

function bindSource({ fields, what }: Said): string {
  const source = fields.get("source");
  if (!source) throw invalid(`invalid ${what}: source is required for type bind`);
  // As Docker's client: "./x" and ".." are relative to the caller, anything else must be absolute.
  const path = /^\.{1,2}(\/|$)/.test(source) ? posix.resolve(callerPath(source, "--mount source")) : source;
  if (!path.startsWith("/")) throw invalid(`invalid ${what}: source must be an absolute path`);
  return posix.normalize(path).replace(/(.)\/$/, "$1");
}

function volumePart(said: Said): Partial<MountRequest> {
  const { fields, volumeOptions, what } = said;
  const source = fields.get("source") ?? "";
  if (source !== "" && !isVolumeName(source))
    throw invalid(`invalid ${what}: ${quote(source)} is not a volume's name; for a path say type=bind`);
  const driver = fields.get("volume-driver") || "local";
  if (driver !== "local")
    throw invalid(
      `invalid ${what}: error looking up volume plugin ${driver}: plugin ${quote(driver)} not found`,
    );
  const problem = localOptionsProblem(volumeOptions);
  if (problem !== undefined) throw invalid(`invalid ${what}: ${problem}`);
  return {
    source,
    options: boolean(said, "volume-nocopy") ? ["nocopy"] : [],
    ...(Object.keys(volumeOptions).length > 0 && { volumeOptions }),
    ...subpathOf(said, "volume-subpath"),
  };
}

function imagePart(said: Said, { readonly }: MountRequest): Partial<MountRequest> {
  const source = said.fields.get("source");
  if (!source) throw invalid(`invalid ${said.what}: source is required for type image`);
  return { source, ...(!readonly && { overlay: true }), ...subpathOf(said, "image-subpath") };
}

function subpathOf({ fields, what }: Said, key: string): Pick<MountRequest, "subpath"> {
  const text = fields.get(key) ?? fields.get("subpath");
  return text === undefined ? {} : { subpath: checkSubpath(text, what) };
}

function tmpfsOptions({ fields, what }: Said): string[] {
  const options = [...tmpfsDefaults];
  const size = fields.get("tmpfs-size");
  if (size !== undefined) options.push(`size=${parseSize(size, `${what}: tmpfs-size`)}`);
  const mode = fields.get("tmpfs-mode");
  if (mode !== undefined) options.push(checkTmpfsOption(`mode=${mode}`, what));
  return options;
}

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isErrno, RtError } from "../base/errors.ts";
import { ShapeError } from "../base/shape.ts";
import { type CdiDevice, type CdiSpecification, parseCdiSpecification } from "../oci/cdi-specification.ts";
import { parseCdiName } from "../settings/cdi-name.ts";

/** Where they lie unless the configuration says otherwise; of two that describe the same device the later one counts. */
export const cdiDirectories: readonly string[] = ["/etc/cdi", "/var/run/cdi"];

const fileBytesMax = 16 << 20;

/** A device, and the file that describes it. */
export interface CdiEntry {
  /** "vendor.com/class=name" */
  name: string;
  device: CdiDevice;
  specification: CdiSpecification;
  file: string;
}

export interface CdiRegistry {
  directories: readonly string[];
  entries: ReadonlyMap<string, CdiEntry>;
  /** Devices that two files of one directory describe. */
  conflicts: ReadonlyMap<string, readonly string[]>;
  /** "FILE: what is wrong with it". */
  problems: readonly string[];
}

/** All that this host describes. One bad file hides no other. */
export function readCdiRegistry(directories: readonly string[] = cdiDirectories): CdiRegistry {
  const entries = new Map<string, CdiEntry>();
  const conflicts = new Map<string, readonly string[]>();
  const problems: string[] = [];
  for (const directory of directories) {
    const here = new Map<string, CdiEntry>();
    for (const file of filesIn(directory, problems)) {
      const specification = readOne(file, problems);
      for (const device of specification?.devices ?? []) {
        const name = `${specification!.kind}=${device.name}`;
        const other = here.get(name);
        // What lies above decides alone.
        if (!other) conflicts.delete(name);
        if (other) conflicts.set(name, [...(conflicts.get(name) ?? [other.file]), file]);
        here.set(name, { name, device, specification: specification!, file });
      }
    }
    for (const [name, entry] of here) entries.set(name, entry);
  }
  return { directories, entries, conflicts, problems };
}

function filesIn(directory: string, problems: string[]): string[] {
  try {
    const names = readdirSync(directory).filter((name) => /\.(json|yaml)$/.test(name));
    return names.sort().map((name) => join(directory, name));
  } catch (error) {
    if (!isErrno(error, "ENOENT") && !isErrno(error, "ENOTDIR"))
      problems.push(`${directory}: ${textOf(error)}`);
    return [];
  }
}

function readOne(file: string, problems: string[]): CdiSpecification | undefined {
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) return undefined;
    if (!stat.isFile()) throw new ShapeError("it is not a regular file");
    if (stat.size > fileBytesMax) throw new ShapeError(`it is larger than ${fileBytesMax} bytes`);
    const text = readFileSync(file, "utf8");
    return parseCdiSpecification(file.endsWith(".json") ? JSON.parse(text) : Bun.YAML.parse(text));
  } catch (error) {
    problems.push(`${file}: ${textOf(error)}`);
    return undefined;
  }
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
}

/**
 * The devices of these names, each once; "all" of a kind, where no device is called so, are all that it has.
 * @throws RtError not-found | conflict
 */
export function cdiEntries(registry: CdiRegistry, names: readonly string[]): CdiEntry[] {
  const found = names.flatMap((name) => {
    const entry = registry.entries.get(name);
    const all = entry ? [entry] : everyOne(registry, name);
    if (all.length === 0) throw missing(registry, name);
    return all;
  });
  for (const { name } of found) {
    const files = registry.conflicts.get(name);
    if (files)
      throw new RtError("conflict", `--device ${name}: more than one file describes it: ${files.join(", ")}`);
  }
  return [...new Set(found)];
}

function everyOne({ entries }: CdiRegistry, name: string): CdiEntry[] {
  const { kind, device } = parseCdiName(name);
  return device === "all"
    ? [...entries.values()].filter(({ specification }) => specification.kind === kind)
    : [];
}

function missing({ directories, entries, problems }: CdiRegistry, name: string): RtError {
  const { kind } = parseCdiName(name);
  const others = [...entries.values()].filter(({ specification }) => specification.kind === kind);
  const known = others.slice(0, 8).map((entry) => entry.device.name);
  const of =
    others.length === 0 ? "" : `; of ${kind} there are ${known.join(", ")}${others.length > 8 ? ", …" : ""}`;
  const bad = problems.length === 0 ? "" : `; ${problems.join("; ")}`;
  const where = directories.length === 0 ? "no directories" : directories.join(", ");
  return new RtError("not-found", `--device ${name}: no CDI specification in ${where} has it${of}${bad}`);
}

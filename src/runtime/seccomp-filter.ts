import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { compileFilter } from "../native/system.ts";
import type { SpecSeccomp } from "../oci/runtime-spec.ts";

/** Which of `names` no system call of these architectures has: a rule for them changes no filter. */
export function unknownCalls(names: Iterable<string>, architectures: readonly string[]): string[] {
  const filterOf = (syscalls: SpecSeccomp["syscalls"]) => {
    const profile: SpecSeccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: [...architectures],
      syscalls,
    };
    return compileFilter(Buffer.from(JSON.stringify(profile)));
  };
  const without = filterOf([]);
  const isUnknown = (name: string) =>
    Buffer.compare(without, filterOf([{ names: [name], action: "SCMP_ACT_ERRNO" }])) === 0;
  return [...new Set(names)].filter(isUnknown);
}

/**
 * Compile a profile into the file that a stage loads (zig-native/stage/filter.zig). It appears whole.
 * @throws RtError invalid-argument with what is wrong with the profile
 */
export function writeFilter(path: string, profile: SpecSeccomp): void {
  const bytes = compileFilter(Buffer.from(JSON.stringify(profile)));
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, bytes, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

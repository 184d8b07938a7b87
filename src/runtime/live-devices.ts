import { join } from "node:path";
import { asSystemError, codeOfErrno, RtError } from "../base/errors.ts";
import { setCgroupDevices } from "../native/system.ts";
import type { SpecDeviceRule } from "../oci/runtime-spec.ts";
import { hierarchyOf, writeText } from "./hierarchies.ts";
import { decideRule } from "./native/decide.ts";

/**
 * Let a container that runs use more devices: v1 has a line for each rule, on v2 the program that holds all of them is replaced.
 * @param group below each hierarchy's root
 * @throws RtError the host refuses it; some of the rules may hold then
 */
export function allowDevices(
  group: string,
  before: readonly SpecDeviceRule[],
  more: readonly SpecDeviceRule[],
): void {
  const v1 = hierarchyOf("devices");
  const directory = (v1 ?? hierarchyOf(undefined))?.directory;
  if (directory === undefined) throw new RtError("unsupported", `${flag}: this host has no control groups`);
  try {
    if (v1) for (const rule of more) writeText(join(directory, group, "devices.allow"), lineOf(rule));
    else setCgroupDevices(join(directory, group), wordsOf([...before, ...more]));
  } catch (error) {
    const code = asSystemError(error)?.code;
    if (code === undefined) throw error;
    throw new RtError(codeOfErrno(code), `${flag}: cannot change its device rules: ${code}`, {
      cause: error,
    });
  }
}

const flag = "--device-cgroup-rule";

/** "c 1:3 rw" */
function lineOf({ type = "a", major, minor, access }: SpecDeviceRule): string {
  return `${type} ${major ?? "*"}:${minor ?? "*"} ${access}`;
}

/** As zig-native/lib/devices.zig has them. */
function wordsOf(rules: readonly SpecDeviceRule[]): Uint32Array {
  const any = 0xffffffff;
  return Uint32Array.from(
    rules
      .map(decideRule)
      .flatMap(({ allow, kind, major, minor, access }) => [
        ...[allow ? 1 : 0, kind, major ?? any, minor ?? any, access],
      ]),
  );
}

import { invalid, quote, rejectControl } from "../base/invalid.ts";

/** Devices of a kind that may be used in these ways. A number that is not there is any. */
export interface DeviceRule {
  kind: "a" | "b" | "c";
  major?: number;
  minor?: number;
  /** Some of "rwm". */
  access: string;
}

/** The kernel's numbers: 12 bits and 20. */
const [majorMax, minorMax] = [0xfff, 0xfffff];

/** `--device-cgroup-rule "c 1:3 rwm"`: a, b or c, and "*" for any number. @throws RtError invalid-argument */
export function parseDeviceRule(text: string, what = "--device-cgroup-rule"): DeviceRule {
  rejectControl(what, text);
  const [, kind, major, minor, access] = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (kind === undefined)
    throw invalid(
      `${what}: invalid device cgroup format ${quote(text)}: want "c 1:3 rwm", with a, b or c, and "*" for any number`,
    );
  for (const [name, number, most] of [
    ["major", major!, majorMax],
    ["minor", minor!, minorMax],
  ] as const)
    if (number !== "*" && Number(number) > most)
      throw invalid(`${what} ${quote(text)}: no device has the ${name} number ${number} (at most ${most})`);
  return {
    kind: kind as DeviceRule["kind"],
    ...(major !== "*" && { major: Number(major) }),
    ...(minor !== "*" && { minor: Number(minor) }),
    access: access!,
  };
}

/** The text, which is kept as it was given. @throws RtError invalid-argument */
export function checkDeviceRule(text: string, what?: string): string {
  parseDeviceRule(text, what);
  return text;
}

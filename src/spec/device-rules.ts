import type { SpecDeviceRule } from "../oci/runtime-spec.ts";
import type { ContainerSettings, Device } from "../settings/container-settings.ts";
import { defaultDevices } from "./defaults.ts";

/** Nothing but the standard devices, pseudo-terminals and what was asked for; making nodes is CAP_MKNOD's business. */
export function deviceRules(settings: ContainerSettings, devices: readonly Device[]): SpecDeviceRule[] {
  if (settings.privileged) return [{ allow: true, access: "rwm" }];
  const standard = defaultDevices.map((device) => rule("c", device.major, device.minor, "rwm"));
  const terminals = [rule("c", 5, 1, "rwm"), rule("c", 5, 2, "rwm"), rule("c", 136, undefined, "rwm")];
  const nodes: SpecDeviceRule[] = [
    { allow: true, type: "c", access: "m" },
    { allow: true, type: "b", access: "m" },
  ];
  const given = devices
    .filter((device) => device.type !== "p")
    .map((device) => rule(device.type === "b" ? "b" : "c", device.major, device.minor, device.permissions));
  const more = askedRules(settings.deviceCgroupRules);
  return [{ allow: false, access: "rwm" }, ...nodes, ...standard, ...terminals, ...given, ...more];
}

/** Of `--device-cgroup-rule`: few have any. */
export function askedRules(texts: readonly string[]): SpecDeviceRule[] {
  if (texts.length === 0) return [];
  const { parseDeviceRule } =
    require("../settings/device-rule.ts") as typeof import("../settings/device-rule.ts");
  return texts.flatMap((text) => {
    const { kind, access, ...numbers } = parseDeviceRule(text);
    const isWhole = kind === "a" && new Set(access).size === 3 && Object.keys(numbers).length === 0;
    if (isWhole) return [{ allow: true, access: "rwm" }];
    // To v1 "a" is all that there is, whatever stands behind it.
    const kinds = kind === "a" ? (["c", "b"] as const) : [kind];
    return kinds.map((type): SpecDeviceRule => ({ allow: true, type, ...numbers, access }));
  });
}

function rule(type: "c" | "b", major: number, minor: number | undefined, access: string): SpecDeviceRule {
  return { allow: true, type, major, ...(minor === undefined ? {} : { minor }), access };
}

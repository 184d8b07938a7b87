import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { isCdiDevice, isCdiKind } from "../oci/cdi-words.ts";

/** A device of a CDI specification: "vendor.com/class=name" (CNCF container device interface, "Kind" and "Devices"). */
export interface CdiName {
  /** "vendor.com/class" */
  kind: string;
  device: string;
}

/** It cannot be the path of a device. */
export function isCdiName(text: string): boolean {
  return !text.startsWith("/") && text.includes("=");
}

/** @throws RtError invalid-argument */
export function parseCdiName(text: string, what = "--device"): CdiName {
  rejectControl(what, text);
  const [, kind, device] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  if (kind !== undefined && isCdiKind(kind) && isCdiDevice(device!)) return { kind, device: device! };
  throw invalid(
    `invalid ${what} ${quote(text)}: want vendor.com/class=name, a device of a CDI specification, or /dev/x[:/dev/y][:rwm]`,
  );
}

/** The text as it is. @throws RtError invalid-argument */
export function checkCdiName(text: string, what?: string): string {
  parseCdiName(text, what);
  return text;
}

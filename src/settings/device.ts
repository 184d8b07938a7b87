import { posix } from "node:path";
import { invalid, quote, rejectControl } from "../base/invalid.ts";
import type { DeviceRequest } from "./container-settings.ts";

/** `/dev/x[:/dev/y][:rwm]`. @throws RtError invalid-argument */
export function parseDevice(text: string, what = "--device"): DeviceRequest {
  rejectControl(what, text);
  const parts = text.split(":");
  const [source, second, third] = parts;
  if (!source || parts.length > 3 || parts.includes("", 1)) {
    throw invalid(`invalid ${what} ${quote(text)}: want /dev/x[:/dev/y][:rwm]`);
  }
  const secondIsMode = parts.length === 2 && isMode(second!);
  const destination = second === undefined || secondIsMode ? source : second;
  const permissions = third ?? (secondIsMode ? second! : "rwm");
  if (!isMode(permissions)) {
    throw invalid(`invalid ${what} ${quote(text)}: bad mode ${quote(permissions)}, want some of r, w and m`);
  }
  for (const path of [source, destination]) {
    if (!path.startsWith("/"))
      throw invalid(`invalid ${what} ${quote(text)}: ${path} is not an absolute path`);
  }
  return { source: posix.normalize(source), destination: posix.normalize(destination), permissions };
}

function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

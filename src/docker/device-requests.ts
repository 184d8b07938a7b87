import { invalid, quote } from "../base/invalid.ts";
import { type Infer, integer, listOf, object, text } from "../base/shape.ts";
import { checkCdiName } from "../settings/cdi-name.ts";
import { gpuNames } from "../settings/gpus.ts";
import { given } from "./zero.ts";

const texts = given(listOf(text), []);

export const deviceRequestDocument = object({
  Driver: given(text, ""),
  Count: given(integer, 0),
  DeviceIDs: texts,
  Capabilities: given(listOf(texts), []),
});

/** Devices of CDI, or `--gpus`, where a count of -1 is all of them. @throws RtError invalid-argument */
export function requestedDevices(request: Infer<typeof deviceRequestDocument>): string[] {
  const { Driver, Count, DeviceIDs, Capabilities } = request;
  const what = "HostConfig.DeviceRequests";
  if (Driver === "cdi") return DeviceIDs.map((name) => checkCdiName(name, what));
  const isGpu = Driver === "nvidia" || Capabilities.some((all) => all.includes("gpu"));
  if ((Driver === "" || Driver === "nvidia") && isGpu) return gpuNames(Count, DeviceIDs, what);
  const wanted = JSON.stringify(Capabilities);
  throw invalid(`${what}: could not select device driver ${quote(Driver)} with capabilities: ${wanted}`);
}

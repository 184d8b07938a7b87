import { invalid, quote, rejectControl } from "../base/invalid.ts";
import { isCdiDevice } from "../oci/cdi-words.ts";

/** The graphics processors that the toolkit of their maker describes in CDI: by number, by name, and all of them. */
const kind = "nvidia.com/gpu";
const countMax = 1024;

/**
 * `--gpus all`, `--gpus 2`, `--gpus device=0,GPU-8f…`, with Docker's `capabilities=…` and `driver=nvidia`, which say nothing
 * more here: what a device brings its specification says.
 * @returns names of CDI
 * @throws RtError invalid-argument
 */
export function parseGpus(text: string, what = "--gpus"): string[] {
  rejectControl(what, text);
  const wrong = (why: string) => invalid(`invalid ${what} ${quote(text)}: ${why}`);
  const devices: string[] = [];
  let count: string | undefined;
  for (const field of fieldsOf(text)) {
    const [, key, value = ""] = /^([a-z]+)=(.*)$/.exec(field) ?? [];
    if (key === "device") devices.push(...value.split(","));
    else if (key === "driver" && value === "nvidia") continue;
    else if (key === "driver") throw wrong(`no driver ${quote(value)}, only nvidia`);
    else if (key === "capabilities" || key === "options") continue;
    else if (key !== undefined && key !== "count") throw wrong(`unknown field ${quote(key)}`);
    // Of "device=0,1", as people write it and a shell leaves it.
    else if (key === undefined && devices.length > 0) devices.push(field);
    else if (count !== undefined) throw wrong("more than one count");
    else count = key === undefined ? field : value;
  }
  if (count !== undefined && devices.length > 0) throw wrong("a count and devices are too much");
  if (count === undefined && devices.length === 0) throw wrong("want all, a number, or device=NAME,…");
  if (count === undefined) return gpuNames(0, devices, what);
  if (count !== "all" && !/^(-1|\d{1,9})$/.test(count)) throw wrong("the count is all or a number");
  return gpuNames(count === "all" ? -1 : Number(count), [], what);
}

/** Of a document, where a count of -1 is all. @throws RtError invalid-argument */
export function gpuNames(count: number, devices: readonly string[], what: string): string[] {
  if (count !== 0 && devices.length > 0) throw invalid(`${what}: a count and devices are too much`);
  const wrong = devices.find((name) => !isCdiDevice(name));
  if (wrong !== undefined) throw invalid(`invalid ${what}: ${quote(wrong)} is no name of a device`);
  if (devices.length > 0) return devices.map((name) => `${kind}=${name}`);
  if (count === -1) return [`${kind}=all`];
  if (count < 1 || count > countMax)
    throw invalid(`invalid ${what} ${quote(String(count))}: want all, or 1 to ${countMax}`);
  return Array.from({ length: count }, (_, index) => `${kind}=${index}`);
}

/** Separated by commas, but for those in quotation marks: `"device=0,1",capabilities=utility`. */
function fieldsOf(text: string): string[] {
  const fields = text.match(/"[^"]*"|[^,"]+/g) ?? [];
  return fields.map((field) => field.replace(/^"(.*)"$/, "$1"));
}

import { invalid } from "../base/invalid.ts";
import { object, text } from "../base/shape.ts";
import { given, read } from "./zero.ts";

const word = given(text, "");
const platform = object({ architecture: word, os: word, variant: word });

/**
 * `platform` of push, save, load, inspect and history: JSON, where pull, create and import have "linux/arm64/v8".
 * @returns the latter, or undefined where nothing is asked for
 * @throws RtError invalid-argument
 */
export function parsePlatformQuery(json: string): string | undefined {
  if (json === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalid("invalid platform: want JSON of os, architecture and variant");
  }
  const { os, architecture, variant } = read(platform, value, "platform");
  if (os === "" || architecture === "") throw invalid("invalid platform: want both of os and architecture");
  return [os, architecture, ...(variant === "" ? [] : [variant])].join("/");
}

/** @param platform "linux/arm64/v8" */
export function platformQuery(text: string): string {
  const [os = "", architecture = "", variant = ""] = text.split("/");
  return JSON.stringify({ architecture, os, ...(variant !== "" && { variant }) });
}

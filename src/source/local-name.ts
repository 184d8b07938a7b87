import { RtError } from "../base/errors.ts";
import { canonical, parse } from "../reference/reference.ts";

/**
 * The local name of an image out of a file. `own` is what the file calls it: a whole reference ("alpine:3.20",
 * "ghcr.io/a/b"), a mere tag ("3.20"), or nothing. Without a whole one it becomes "localhost/<file's base name>:<tag>".
 */
export function localNameOf(file: string, own: string | undefined): string {
  const whole = own !== undefined && /[/:]/.test(own) ? parsed(own) : undefined;
  if (whole !== undefined) return whole;
  const base = file.replace(/\/+$/, "").split("/").at(-1) ?? "";
  const name = base
    .toLowerCase()
    .replace(/\.(tar|oci)$/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const tag = own !== undefined && !/[/:]/.test(own) ? own : "latest";
  const spelling = (tagText: string) => `localhost/${name.slice(0, 200) || "image"}:${tagText}`;
  return parsed(spelling(tag)) ?? canonical(parse(spelling("latest")));
}

/** The canonical spelling, or undefined where `text` is none of a reference: files may call things what they like. */
function parsed(text: string): string | undefined {
  try {
    return canonical(parse(text));
  } catch (error) {
    if (error instanceof RtError) return undefined;
    throw error;
  }
}

import { invalid } from "../base/invalid.ts";
import { visible } from "../base/visible.ts";
import { parseContainerName } from "../settings/identity.ts";

/** `name` of POST /containers/create. @returns undefined for one of ours @throws RtError invalid-argument, in Docker's words */
export function parseCreateName(text: string): string | undefined {
  if (text === "") return undefined;
  try {
    return parseContainerName(text, "name");
  } catch {
    throw invalid(`Invalid container name (${visible(text)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
}

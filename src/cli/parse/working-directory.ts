import { invalid, quote, rejectNul } from "../../base/invalid.ts";

/** `run -w` and `exec -w`: the kernel's magic links would lead out of the container (CVE-2024-21626). */
export function parseWorkingDirectory(text = ""): string {
  if (text === "") return text;
  if (!text.startsWith("/")) throw invalid(`invalid --workdir ${quote(text)}: want an absolute path`);
  return rejectNul("--workdir", text);
}

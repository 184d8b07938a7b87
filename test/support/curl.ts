/** The API as somebody at a shell has it: by curl, over the daemon's socket. */
import { run } from "./command.ts";

export interface CurlAnswer {
  status: number;
  /** Without what it says of characters; "" where there is none. */
  type: string;
  text: string;
}

export interface CurlBody {
  json?: object | undefined;
  /** A file's path. */
  tar?: string | undefined;
}

const mark = "\n--curl-has-ended--";

/** @param ask "GET /containers/json"; a stream is read to its end */
export async function curl(socket: string, ask: string, { json, tar }: CurlBody = {}): Promise<CurlAnswer> {
  const [method = "", target = ""] = ask.split(" ");
  const sent = json
    ? ["-H", "Content-Type: application/json", "--data-binary", JSON.stringify(json)]
    : tar
      ? ["-H", "Content-Type: application/x-tar", "-H", "Expect:", "--data-binary", `@${tar}`]
      : [];
  const verb = method === "HEAD" ? ["--head"] : ["-X", method];
  const flags = ["-sS", "--max-time", "60", "-w", `${mark}%{http_code} %{content_type}`];
  const output = await run([
    "curl",
    ...flags,
    "--unix-socket",
    socket,
    ...verb,
    ...sent,
    `http://engine${target}`,
  ]);
  const at = output.lastIndexOf(mark);
  const [, status = "", type = ""] = /^(\d+) ([^;]*)/.exec(output.slice(at + mark.length)) ?? [];
  return { status: Number(status), type, text: output.slice(0, at) };
}

/**
 * Those of a document in their order by name; of a list "[]" and those of its first; of a stream those of its last line.
 * @returns "" where it is no JSON, or has none
 */
export function keysOf({ type, text }: CurlAnswer): string {
  if (type !== "application/json" || text.trim() === "") return "";
  const last = text.trim().split("\n").at(-1)!;
  const document = JSON.parse(last) as unknown;
  if (!Array.isArray(document)) return keys(document);
  return `[] ${keys(document[0])}`.trim();
}

function keys(document: unknown): string {
  if (typeof document !== "object" || document === null) return "";
  return Object.keys(document).sort().join(" ");
}

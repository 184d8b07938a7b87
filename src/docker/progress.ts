import { humanSize } from "../base/human-size.ts";
import type { ErrorDocument } from "./error-document.ts";

/** One of the lines that POST /images/create, push and load answer, as jsonmessage has them. */
export interface ProgressLine {
  status?: string;
  /** Twelve digits of a layer's digest, or a tag. */
  id?: string;
  progressDetail?: { current?: number; total?: number };
  /** The bar, for clients that draw none of their own. */
  progress?: string;
  stream?: string;
  aux?: unknown;
  errorDetail?: { message: string };
  error?: string;
  /** Ours: the failure's class. */
  code?: ErrorDocument["code"];
}

/** What is told of a layer on its way here or from here. Bytes. */
export interface LayerMove<Status extends string> {
  layer: string;
  status: Status;
  current: number;
  total: number;
}

type Pulled = "waiting" | "downloading" | "extracting" | "exists" | "done";

/** A layer that comes, in Docker's words. */
export function pullLines(move: LayerMove<Pulled>): ProgressLine[] {
  switch (move.status) {
    case "waiting":
      return [plainLine(move, "Pulling fs layer")];
    case "downloading":
      return [barLine(move, "Downloading")];
    case "extracting":
      return [plainLine(move, "Download complete"), barLine(move, "Extracting")];
    case "exists":
      return [plainLine(move, "Already exists")];
    case "done":
      return [plainLine(move, "Pull complete")];
  }
}

type Pushed =
  | "compressing"
  | "compressed"
  | "preparing"
  | "waiting"
  | "sending"
  | "sent"
  | "mounted"
  | "exists";

/** And one that goes. @param from the repository that a mounted one comes from: "host/path" */
export function pushLines(move: LayerMove<Pushed> & { from?: string }): ProgressLine[] {
  switch (move.status) {
    case "compressing":
      return [barLine(move, "Compressing")];
    // Now it is prepared to be sent, which is told as well.
    case "compressed":
      return [];
    case "preparing":
      return [plainLine(move, "Preparing")];
    case "waiting":
      return [plainLine(move, "Waiting")];
    case "sending":
      return [barLine(move, "Pushing")];
    case "sent":
      return [plainLine(move, "Pushed")];
    case "mounted": {
      const { from = "" } = move;
      return [plainLine(move, `Mounted from ${from.slice(from.indexOf("/") + 1)}`)];
    }
    case "exists":
      return [plainLine(move, "Layer already exists")];
  }
}

/** Of an archive's layer. */
export function loadLines(move: LayerMove<Pulled>): ProgressLine[] {
  return move.status === "extracting" ? [barLine(move, "Loading layer")] : [];
}

/** What went wrong after the answer's head. */
export function failureLine({ message, code }: ErrorDocument): ProgressLine {
  return { errorDetail: { message }, error: message, ...(code !== undefined && { code }) };
}

function plainLine({ layer }: LayerMove<string>, status: string): ProgressLine {
  return { status, progressDetail: {}, id: shortId(layer) };
}

function barLine({ layer, current, total }: LayerMove<string>, status: string): ProgressLine {
  return {
    status,
    progressDetail: { current, total },
    progress: barText(current, total),
    id: shortId(layer),
  };
}

function shortId(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

/** "[====>      ]  36.4kB/1.089MB", as wide as Docker's on a wide terminal. */
function barText(current: number, total: number): string {
  if (total <= 0) return humanSize(current, 4).padStart(8);
  const filled = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const bar = `[${"=".repeat(filled)}>${" ".repeat(50 - filled)}]`;
  const size = humanSize(current, 4).padStart(8);
  return current > total ? `${bar} ${size}` : `${bar} ${size}/${humanSize(total, 4)}`;
}

import type { LayerProgress } from "../../engine/image/pull.ts";
import { humanSize } from "../format/human.ts";
import type { Output } from "./output.ts";

const redrawEvery_ms = 80;
const csi = "\u001b[";
const eraseLine = `${csi}2K`;
const eraseBelow = `${csi}J`;

/** What a listener of a pull is told. */
export interface LayerReporter {
  layer(progress: LayerProgress): void;
  /** No more will come: the last state is on the screen, and the cursor below it. */
  end(): void;
}

/** Bars on a terminal; otherwise a line for each layer that is done. */
export function layerReporter(output: Output): LayerReporter {
  return output.isTerminal ? new Bars(output) : new Lines(output);
}

export class Lines implements LayerReporter {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }
  layer(progress: LayerProgress): void {
    if (isFinished(progress)) this.#output.write(`${line(progress, 80)}\n`);
  }
  end(): void {}
}

/**
 * One line per layer, redrawn in place by moving the cursor up: it is never hidden and always left below the last line,
 * so that there is nothing to restore whatever ends us. Finished layers at the top scroll away as ordinary lines, and
 * what remains is kept below the height of the terminal, beyond which the cursor could not go up again.
 */
export class Bars implements LayerReporter {
  readonly #output: Output;
  readonly #layers = new Map<string, LayerProgress>();
  readonly #now: () => number;
  #drawnLines = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #pending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(output: Output, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  layer(progress: LayerProgress): void {
    this.#layers.set(progress.layer, progress);
    this.#pending = true;
    if (this.#now() - this.#drawnAt >= redrawEvery_ms) this.#draw();
    // No more may come for long: then what came last is drawn all the same.
    else this.#timer ??= setTimeout(() => this.end(), redrawEvery_ms);
  }

  end(): void {
    if (this.#pending) this.#draw();
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { columns, rows } = this.#output;
    const drawn: string[] = [];
    for (const [name, progress] of this.#layers) {
      if (!isFinished(progress)) break;
      drawn.push(line(progress, columns));
      this.#layers.delete(name);
    }
    const live = [...this.#layers.values()].slice(0, Math.max(1, rows - 2));
    for (const progress of live) drawn.push(line(progress, columns));
    const back = this.#drawnLines > 0 ? `${csi}${this.#drawnLines}A\r` : "";
    // The end erases lines of the last drawing that are not needed any more.
    this.#output.write(back + drawn.map((text) => `${eraseLine}${text}\n`).join("") + eraseBelow);
    this.#drawnLines = live.length;
    this.#drawnAt = this.#now();
    this.#pending = false;
  }
}

/** "a1b2c3d4e5f6: Downloading [=====>      ]  12.3MB/45.6MB", never wider than the terminal. */
export function line(progress: LayerProgress, columns: number): string {
  const name = progress.layer.slice("sha256:".length, "sha256:".length + 12);
  const head = `${name}: ${statusTexts[progress.status]}`;
  if (progress.status !== "downloading") return head.slice(0, columns - 1);
  const sizes = `${humanSize(progress.current)}/${humanSize(progress.total)}`.padStart(15);
  const room = Math.min(50, columns - 1 - head.length - sizes.length - 4);
  if (room < 10) return `${head} ${sizes.trim()}`.slice(0, columns - 1);
  const part = progress.total > 0 ? Math.min(1, progress.current / progress.total) : 1;
  const filled = Math.round(part * (room - 1));
  return `${head} [${"=".repeat(filled)}>${" ".repeat(room - 1 - filled)}] ${sizes}`;
}

const statusTexts: Readonly<Record<LayerProgress["status"], string>> = {
  waiting: "Waiting",
  downloading: "Downloading",
  extracting: "Extracting",
  exists: "Already exists",
  done: "Pull complete",
};

function isFinished({ status }: LayerProgress): boolean {
  return status === "exists" || status === "done";
}

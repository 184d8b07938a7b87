import { humanSize } from "../../base/human-size.ts";
import type { LayerProgress } from "../../engine/image/pull.ts";
import type { PushProgress } from "../../engine/image/push.ts";
import type { Output } from "./output.ts";

const redrawEvery_ms = 80;
const csi = "\u001b[";
const eraseLine = `${csi}2K`;
const eraseBelow = `${csi}J`;

/** What a listener of a transfer is told of a layer. */
export interface TransferProgress {
  layer: string;
  current: number;
  total: number;
}

/** How it is put. */
export interface Wording {
  text: string;
  /** On its way: a bar shows how far. */
  hasBar?: boolean;
  /** Nothing more will come of this layer. */
  isFinished?: boolean;
  /** Worth a line where there are no bars: what is finished is, unless this is false. */
  hasLine?: boolean;
}

export type Wordings<P> = (progress: P) => Wording;

export interface LayerReporter<P> {
  layer(progress: P): void;
  /** No more will come: the last state is on the screen, and the cursor below it. */
  end(): void;
}

/** Bars on a terminal; otherwise a line for each layer that is done. */
export function layerReporter<P extends TransferProgress>(
  output: Output,
  wordings: Wordings<P>,
): LayerReporter<P> {
  return output.isTerminal ? new Bars(output, wordings) : new Lines(output, wordings);
}

/** Docker's words, of what comes. */
export function pullWordings({ status }: LayerProgress): Wording {
  return pullWords[status];
}

const pullWords: Readonly<Record<LayerProgress["status"], Wording>> = {
  waiting: { text: "Waiting" },
  downloading: { text: "Downloading", hasBar: true },
  extracting: { text: "Extracting" },
  exists: { text: "Already exists", isFinished: true },
  done: { text: "Pull complete", isFinished: true },
};

/** And of what goes. */
export function pushWordings(progress: PushProgress): Wording {
  if (progress.status !== "mounted") return pushWords[progress.status];
  const { from = "" } = progress;
  return { text: `Mounted from ${from.slice(from.indexOf("/") + 1)}`, isFinished: true };
}

const pushWords: Readonly<Record<Exclude<PushProgress["status"], "mounted">, Wording>> = {
  // Of these docker, whose layers are compressed as they travel, has no lines.
  compressing: { text: "Compressing", hasBar: true },
  compressed: { text: "Compressed", isFinished: true, hasLine: false },
  preparing: { text: "Preparing", hasLine: true },
  waiting: { text: "Waiting", hasLine: true },
  sending: { text: "Pushing", hasBar: true },
  sent: { text: "Pushed", isFinished: true },
  exists: { text: "Layer already exists", isFinished: true },
};

export class Lines<P extends TransferProgress> implements LayerReporter<P> {
  readonly #output: Output;
  readonly #wordings: Wordings<P>;

  constructor(output: Output, wordings: Wordings<P>) {
    this.#output = output;
    this.#wordings = wordings;
  }

  layer(progress: P): void {
    const wording = this.#wordings(progress);
    if (wording.hasLine ?? wording.isFinished) this.#output.write(`${line(progress, wording, 300)}\n`);
  }

  end(): void {}
}

/**
 * One line per layer, redrawn in place by moving the cursor up: it is never hidden and always left below the last line,
 * so that there is nothing to restore whatever ends us. Finished layers at the top scroll away as ordinary lines, and
 * what remains is kept below the height of the terminal, beyond which the cursor could not go up again.
 */
export class Bars<P extends TransferProgress> implements LayerReporter<P> {
  readonly #output: Output;
  readonly #wordings: Wordings<P>;
  readonly #layers = new Map<string, { progress: P; wording: Wording }>();
  readonly #now: () => number;
  #drawnLines = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #pending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(output: Output, wordings: Wordings<P>, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#wordings = wordings;
    this.#now = now;
  }

  layer(progress: P): void {
    this.#layers.set(progress.layer, { progress, wording: this.#wordings(progress) });
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
    for (const [name, { progress, wording }] of this.#layers) {
      if (!wording.isFinished) break;
      drawn.push(line(progress, wording, columns));
      this.#layers.delete(name);
    }
    const live = [...this.#layers.values()].slice(0, Math.max(1, rows - 2));
    for (const { progress, wording } of live) drawn.push(line(progress, wording, columns));
    const back = this.#drawnLines > 0 ? `${csi}${this.#drawnLines}A\r` : "";
    // The end erases lines of the last drawing that are not needed any more.
    this.#output.write(back + drawn.map((text) => `${eraseLine}${text}\n`).join("") + eraseBelow);
    this.#drawnLines = live.length;
    this.#drawnAt = this.#now();
    this.#pending = false;
  }
}

/** "a1b2c3d4e5f6: Downloading [=====>      ]  12.3MB/45.6MB", never wider than the terminal. */
export function line(progress: TransferProgress, { text, hasBar }: Wording, columns: number): string {
  const name = progress.layer.slice("sha256:".length, "sha256:".length + 12);
  const head = `${name}: ${text}`;
  if (!hasBar) return head.slice(0, columns - 1);
  const sizes = `${humanSize(progress.current)}/${humanSize(progress.total)}`.padStart(15);
  const room = Math.min(50, columns - 1 - head.length - sizes.length - 4);
  if (room < 10) return `${head} ${sizes.trim()}`.slice(0, columns - 1);
  const part = progress.total > 0 ? Math.min(1, progress.current / progress.total) : 1;
  const filled = Math.round(part * (room - 1));
  return `${head} [${"=".repeat(filled)}>${" ".repeat(room - 1 - filled)}] ${sizes}`;
}

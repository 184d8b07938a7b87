import { cancellation } from "../base/abort.ts";
import { version } from "../base/build-info.ts";
import { type ErrorCode, RtError } from "../base/errors.ts";
import { visible } from "../base/visible.ts";
import { arrayIn, integerIn, shown, stringIn } from "../oci/json.ts";
import { fieldsOf, frameHeader, greeting, type PeerFrame, type PeerFrameKind, PeerReader } from "./frames.ts";

/** A stream each way to another rt. */
export interface PeerPipe {
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when all of it has been taken; false: nobody reads any more, and why is for `ending` to say. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** Once the input has ended before its time: why, where that can be known. */
  ending(): Promise<RtError | undefined>;
  /** No more is said. @param isOver all has been said on both sides; else what is left of it is ended at once */
  close(isOver: boolean): Promise<void>;
}

export type PeerRole = "give" | "take";

export interface ChannelOptions {
  /** For messages: "box: ", or nothing where the other side is ourselves. */
  who: string;
  role: PeerRole;
  /** How long the other side may be silent. */
  patience_ms: number;
  /** The same until it has said hello: people type passwords before that. */
  helloPatience_ms?: number;
  signal?: AbortSignal | undefined;
}

/** Versions of the conversation in frames.ts that this rt knows. */
const speaks = [1];
const patienceMin_ms = 100;
const patienceMax_ms = 3_600_000;

const errorCodes = [
  ...(["invalid-argument", "not-found", "conflict", "unauthorized", "forbidden", "unavailable"] as const),
  ...(["unsupported", "data-loss", "exhausted", "cancelled", "internal"] as const),
] satisfies ErrorCode[];

/** A conversation with another rt, in the frames of frames.ts: hello, pings and patience are seen to here. */
export class Channel {
  readonly who: string;
  readonly #pipe: PeerPipe;
  readonly #reader: PeerReader;
  readonly #signal: AbortSignal | undefined;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  /** What is being written, after all that was said before it. */
  #tail: Promise<unknown> = Promise.resolve();
  #saidAt = performance.now();
  /** Who waits for the next frame, and since when nothing has come. */
  #waiting: { since: number; reject: (error: unknown) => void } | undefined;
  #failure: unknown;

  private constructor(pipe: PeerPipe, { who, signal }: ChannelOptions) {
    this.who = who;
    this.#pipe = pipe;
    // Of a slow line a frame may take longer than anybody may be silent.
    this.#reader = new PeerReader(pipe.input, who, () => {
      if (this.#waiting) this.#waiting.since = performance.now();
    });
    this.#signal = signal;
  }

  /** @throws RtError: nobody is there, or nobody who speaks as we do */
  static async open(pipe: PeerPipe, options: ChannelOptions): Promise<Channel> {
    const channel = new Channel(pipe, options);
    try {
      await channel.#greet(options);
      return channel;
    } catch (error) {
      await channel.close(false);
      throw error;
    }
  }

  async #greet({ role, patience_ms, helloPatience_ms, signal }: ChannelOptions): Promise<void> {
    signal?.addEventListener("abort", this.#abort);
    if (signal?.aborted) this.#abort();
    let limit_ms = helloPatience_ms ?? patience_ms;
    const look_ms = Math.max(10, Math.min(patience_ms, limit_ms) / 4);
    this.#timers.push(setInterval(() => this.#look(limit_ms), look_ms));
    void this.#put(greeting);
    void this.tell("hello", 0, { role, speaks, patience_ms, version });
    if (!(await this.#within(this.#reader.greet()))) throw await this.#ended();
    const hello = await this.receive();
    if (hello.kind !== "hello") throw this.unexpected(hello);
    const field = fieldsOf(hello, this.who);
    const theirs = arrayIn(field("speaks"), `${this.who}speaks`);
    if (!speaks.some((each) => theirs.includes(each))) {
      const known = `it speaks ${shown(theirs.join(", "))}, this one ${speaks.join(", ")}`;
      const text = `${this.who}it has rt ${shown(field("version"))}, which is too far from ${version}: ${known}`;
      throw new RtError("unsupported", text);
    }
    if (field("role") === role)
      throw new RtError("conflict", `${this.who}both sides want to ${role} an image`);
    const asked = integerIn(field("patience_ms"), `${this.who}patience_ms`);
    const theirs_ms = Math.min(Math.max(asked, patienceMin_ms), patienceMax_ms);
    this.#timers.push(setInterval(() => this.#ping(theirs_ms / 3), theirs_ms / 6));
    limit_ms = patience_ms;
  }

  /** @returns false when nobody listens any more: `receive` knows why */
  tell(kind: PeerFrameKind, id: number, value: object): Promise<boolean> {
    return this.send(kind, id, new TextEncoder().encode(JSON.stringify(value)));
  }

  /** Whole frames, in the order in which they were given. */
  async send(kind: PeerFrameKind, id: number, payload: Uint8Array): Promise<boolean> {
    const header = this.#put(frameHeader(kind, id, payload.length));
    const body = payload.length === 0 ? header : this.#put(payload);
    return (await header) && (await body);
  }

  /** In place of a wanted blob, or (0) of everything. */
  fail(error: unknown, id = 0): Promise<boolean> {
    const { code, message } =
      error instanceof RtError
        ? error
        : { code: "internal", message: error instanceof Error ? error.message : String(error) };
    return this.tell("fail", id, { code, message: message.slice(0, 4096) });
  }

  /** What the other side says next. @throws RtError: it has failed, is gone, is silent, or says what nobody understands */
  async receive(): Promise<PeerFrame> {
    for (;;) {
      const frame = await this.#within(this.#reader.next());
      if (!frame) throw await this.#ended();
      if (frame.kind === "fail" && frame.id === 0) throw this.failureIn(frame);
      if (frame.kind !== "ping") return frame;
    }
  }

  /** What a `fail` says. */
  failureIn(frame: PeerFrame): RtError {
    const field = fieldsOf(frame, this.who);
    const code = errorCodes.find((each) => each === field("code")) ?? "unavailable";
    const message = visible(stringIn(field("message") ?? "", `${this.who}fail`).slice(0, 4096));
    return new RtError(code, `${this.who}${message}`);
  }

  unexpected({ kind }: PeerFrame): RtError {
    return new RtError("data-loss", `${this.who}it said "${kind}" where that has no meaning`);
  }

  async close(isOver: boolean): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#signal?.removeEventListener("abort", this.#abort);
    await this.#pipe.close(isOver);
  }

  #put(bytes: Uint8Array): Promise<boolean> {
    const written = this.#tail.then(() => this.#pipe.write(bytes));
    this.#tail = written.catch(() => undefined);
    return written.then((taken) => {
      this.#saidAt = performance.now();
      return taken;
    });
  }

  #within<T>(coming: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) reject(this.#failure);
      const waiting = { since: performance.now(), reject };
      this.#waiting = waiting;
      coming.then(resolve, reject).finally(() => {
        // Behind a ping who waits has begun anew by now.
        if (this.#waiting === waiting) this.#waiting = undefined;
      });
    });
  }

  async #ended(): Promise<unknown> {
    return (
      this.#failure ??
      (await this.#pipe.ending()) ??
      new RtError("unavailable", `${this.who}the connection broke off`)
    );
  }

  #look(limit_ms: number): void {
    if (!this.#waiting || performance.now() - this.#waiting.since < limit_ms) return;
    const seconds = Math.ceil(limit_ms / 1000);
    this.#stop(new RtError("unavailable", `${this.who}nothing has come for ${seconds} s`));
  }

  #ping(after_ms: number): void {
    if (performance.now() - this.#saidAt >= after_ms) void this.send("ping", 0, new Uint8Array());
  }

  #stop(error: unknown): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }

  readonly #abort = () => {
    if (this.#signal) this.#stop(cancellation(this.#signal));
  };
}

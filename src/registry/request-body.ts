/** A body that is made while it is sent: of a length that is known, and as often as it is asked for. */
export interface RequestBody {
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

/** The line takes so much at once: a slow one shall be seen to move. */
export const pieceLength = 128 << 10;

/** Whose turn it is: ours to make a piece, the other side's to take it, or its own to answer. */
export type BodyTurn = "making" | "taking" | "answering";

/** One sending of a body: it is read as fast as the other side takes it, and no faster. */
export class BodyStream {
  readonly stream: ReadableStream<Uint8Array>;
  #complete = false;
  #failure: { error: unknown } | undefined;
  readonly #pieces: AsyncGenerator<Uint8Array>;

  constructor(body: RequestBody, onTurn: (turn: BodyTurn) => void) {
    this.#pieces = piecesOf(body);
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            onTurn("making");
            const { done, value } = await this.#pieces.next();
            this.#complete = done === true;
            onTurn(done ? "answering" : "taking");
            if (done) controller.close();
            else controller.enqueue(value);
          } catch (error) {
            this.#failure = { error };
            controller.error(error);
          }
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Has all of it been taken? */
  get complete(): boolean {
    return this.#complete;
  }

  /** What reading it met; fetch tells of it in other words. */
  get failure(): { error: unknown } | undefined {
    return this.#failure;
  }

  async close(): Promise<void> {
    await this.#pieces.return(undefined);
  }
}

async function* piecesOf(body: RequestBody): AsyncGenerator<Uint8Array> {
  for await (const chunk of body.open()) {
    for (let at = 0; at < chunk.length; at += pieceLength) yield chunk.subarray(at, at + pieceLength);
  }
}

/**
 * The writing end of a helper's input, with back-pressure: `write` resolves when the kernel has taken all of the chunk.
 * (Bun's own FileSink on such a descriptor loses the wake-up when the pipe is full, and waits for ever.)
 */
export class HelperPipe {
  readonly #socket: Bun.Socket;
  readonly #state: State;

  private constructor(socket: Bun.Socket, state: State) {
    this.#socket = socket;
    this.#state = state;
  }

  /** @param fd a stream socket, from `Bun.spawn`'s extra `"pipe"`; owned from here on */
  static async open(fd: number): Promise<HelperPipe> {
    const state: State = { gone: false, wake: () => {} };
    const leave = () => {
      state.gone = true;
      state.wake();
    };
    const options: Bun.FdSocketOptions = {
      fd,
      socket: { drain: () => state.wake(), data() {}, close: leave, end: leave, error: leave },
    };
    // bun-types has the options, and forgot the overload that takes them.
    const socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
    return new HelperPipe(socket, state);
  }

  /** False: nobody reads any more. The helper's answer says why. */
  async write(chunk: Uint8Array): Promise<boolean> {
    let rest = chunk;
    while (rest.length > 0 && !this.#state.gone) {
      // Made before the attempt, so that a wake-up in between is not lost.
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#state.wake = resolve;
      const taken = this.#socket.write(rest);
      if (taken < 0) this.#state.gone = true;
      else rest = rest.subarray(taken);
      if (rest.length > 0 && !this.#state.gone) await promise;
    }
    return !this.#state.gone;
  }

  end(): void {
    this.#socket.end();
  }
}

interface State {
  gone: boolean;
  wake: () => void;
}

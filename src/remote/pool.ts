import { asSystemError, RtError } from "../base/errors.ts";
import type { Duplex } from "../http/duplex.ts";
import type { Dial } from "./dial.ts";

/** Of connections that nobody uses at the moment; more are closed. */
const idleMax = 4;

/** Connections to one engine: kept alive between two requests, as many at once as are asked for. */
export class ConnectionPool implements Disposable {
  readonly #dial: Dial;
  readonly #address: string;
  readonly #idle: Duplex[] = [];

  /** @param address as messages have it */
  constructor(dial: Dial, address: string) {
    this.#dial = dial;
    this.#address = address;
  }

  /** One that has been used before may be closed by the other side at any moment. @throws RtError unavailable | forbidden */
  async take(): Promise<{ wire: Duplex; isNew: boolean }> {
    for (let wire = this.#idle.pop(); wire; wire = this.#idle.pop()) {
      if (!wire.hasEnded && !wire.gone.aborted) return { wire, isNew: false };
      wire.destroy();
    }
    return { wire: await this.takeNew(), isNew: true };
  }

  async takeNew(): Promise<Duplex> {
    try {
      return await this.#dial();
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  /** The last answer on it has been read to its end. */
  giveBack(wire: Duplex): void {
    if (wire.gone.aborted || wire.hasEnded || this.#idle.length >= idleMax) wire.destroy();
    else this.#idle.push(wire);
  }

  [Symbol.dispose](): void {
    for (const wire of this.#idle.splice(0)) wire.destroy();
  }

  #unreachable(error: unknown): RtError {
    const what = `cannot connect to the engine at ${this.#address}`;
    // Whoever dials knows more: that ssh was refused, that a certificate is somebody else's.
    if (error instanceof RtError) return error;
    const code = asSystemError(error)?.code;
    if (code === "EACCES" || code === "EPERM")
      return new RtError("forbidden", `${what}: you may not use it (${code})`, { cause: error, exitCode: 1 });
    const why = code ?? (error instanceof Error ? error.message : String(error));
    return new RtError("unavailable", `${what}: is it running? (${why})`, { cause: error, exitCode: 1 });
  }
}

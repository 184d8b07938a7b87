import { RtError } from "../base/errors.ts";
import type { ExecInspect } from "../docker/exec-inspect.ts";
import type { Engine } from "../engine/engine.ts";

/** The oldest go. */
const endsMax = 200;

/**
 * How programs have ended that clients executed here and waited for. The engine knows of those in containers that run; one that has
 * ended with its container is still asked for, by the client that has just seen its output end.
 */
export class ExecEnds {
  readonly #ends = new Map<string, ExecInspect>();

  /** @param before what it was before its start @param ExitCode what its start has returned */
  async note(engine: Engine, before: ExecInspect, ExitCode: number): Promise<void> {
    const now = await orNone(engine.exec.inspect(before.ID));
    // Its client has detached.
    if (now?.Running) return;
    this.#ends.set(before.ID, now ?? { ...before, ExitCode });
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > endsMax) this.#ends.delete(oldest!);
  }

  /** As long as its container is there, for whoever sees that. @throws RtError not-found */
  async inspect(engine: Engine, id: string): Promise<ExecInspect> {
    try {
      return await engine.exec.inspect(id);
    } catch (error) {
      const end = isNotFound(error) ? this.#ends.get(id) : undefined;
      if (!end || !(await orNone(engine.container.inspect(end.ContainerID)))) throw error;
      return end;
    }
  }
}

async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof RtError && error.code === "not-found";
}

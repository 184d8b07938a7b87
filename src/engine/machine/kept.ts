import { recordOf } from "../../container/stored-container.ts";
import type { Host } from "../host.ts";
import { down } from "../system/down.ts";
import { up } from "../system/up.ts";

const patience_ms = 10_000;

interface KeptSurroundings {
  host: Host;
  /** The same, for one whose patience ends with the session. */
  starting: Host;
  /** The names of those that the configuration has. */
  planned: ReadonlySet<string>;
  killedWithin_ms: number;
  say(line: string): void;
  report(error: unknown): unknown;
}

/**
 * Containers in a store that outlives the machine's boots, which the configuration knows nothing of: those that a restart policy
 * keeps are started beside its own, as by `rt system up`, and stopped with them. The session does not wait for their end.
 */
export class Kept {
  readonly #surroundings: KeptSurroundings;

  constructor(surroundings: KeptSurroundings) {
    this.#surroundings = surroundings;
  }

  /** The longest of their timeouts that has an end; 0 where there are none, or the store cannot be read. */
  patience_ms(): number {
    try {
      const records = this.#surroundings.host.containers.list().map(recordOf);
      const kept = records.filter((record) => record !== undefined && record.restart.name !== "no");
      return Math.max(0, ...kept.map((record) => (record?.stopTimeout ?? patience_ms / 1000) * 1000));
    } catch {
      return 0; // whoever starts them says why
    }
  }

  /** Until `stopping`, and then until they have stopped. */
  async run(stopping: AbortSignal): Promise<void> {
    const { host, starting, planned, killedWithin_ms, report, say } = this.#surroundings;
    const onDone = (name: string, error: Error | undefined) => {
      if (error) report(error);
      else say(`container ${name}: started by its restart policy`);
    };
    await up(starting, { onDone }).catch((error) => stopping.aborted || report(error));
    await aborted(stopping);
    const told = { onDone: (_: string, error: Error | undefined) => void (error && report(error)) };
    await down(host, told, { leave: planned, limit_ms: killedWithin_ms }).catch(report);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}

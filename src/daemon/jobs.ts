/**
 * What the classic engine calls a job: a named piece of work with its arguments, for one client, until it has answered or the client
 * goes. Each request is one.
 */
export interface Job {
  id: number;
  /** "GET /containers/{name}/logs" */
  name: string;
  /** As it was asked for. */
  target: string;
  /** Milliseconds since the epoch. */
  since: number;
}

export class Jobs {
  readonly #running = new Map<number, Job>();
  #last = 0;

  /** Until disposed of. */
  begin(name: string, target: string): Disposable {
    const id = ++this.#last;
    this.#running.set(id, { id, name, target, since: Date.now() });
    return { [Symbol.dispose]: () => void this.#running.delete(id) };
  }

  /** Oldest first. */
  list(): Job[] {
    return [...this.#running.values()];
  }
}

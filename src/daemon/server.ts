import { errorDocument } from "../docker/error-document.ts";
import type { Engine } from "../engine/engine.ts";
import type { Duplex } from "../http/duplex.ts";
import { type HttpExchange, serveConnection } from "../http/server.ts";
import { ApiCall } from "./call.ts";
import { usualFields } from "./fields.ts";
import { Jobs } from "./jobs.ts";
import { Router } from "./router.ts";
import { rows } from "./table.ts";

export interface ServerFacts {
  engine: Engine;
  /** What nobody foresaw; the client is told no more than that it happened. */
  onBug: (error: unknown) => void;
}

const headWithin_ms = 30_000;

/**
 * Docker's Engine API over an engine. It owns nothing that must live: a connection is a caller of the engine, and goes with its
 * client.
 *
 *   listen.ts -> a Duplex -> http/server.ts: an HttpExchange -> router.ts: a row of table.ts -> routes/<noun>.ts: a ApiCall
 */
export class ApiServer {
  readonly jobs = new Jobs();
  readonly #facts: ServerFacts;
  readonly #router = new Router(rows);
  readonly #wires = new Set<Duplex>();

  constructor(facts: ServerFacts) {
    this.#facts = facts;
  }

  /** One connection, until it ends. It never throws. */
  async serve(wire: Duplex): Promise<void> {
    this.#wires.add(wire);
    try {
      await serveConnection({
        wire,
        headWithin_ms,
        handle: (exchange) => this.#handle(exchange),
        refuse: (exchange, error) => refuse(exchange, error),
      });
    } catch (error) {
      this.#facts.onBug(error);
    } finally {
      this.#wires.delete(wire);
    }
  }

  get connections(): number {
    return this.#wires.size;
  }

  async #handle(exchange: HttpExchange): Promise<void> {
    const { method, target } = exchange.head;
    try {
      const { row, version, params, query, load } = this.#router.find(method, target);
      using _job = this.jobs.begin(`${row.method} ${row.path}`, target);
      const call = new ApiCall({ exchange, engine: this.#facts.engine, version, params, query });
      await (await load())(call);
    } catch (error) {
      if (errorDocument(error).status === 500 && !exchange.gone.aborted) this.#facts.onBug(error);
      if (exchange.isWaiting) refuse(exchange, error);
    }
  }
}

function refuse(exchange: HttpExchange, error: unknown): void {
  const { status, body } = errorDocument(error);
  exchange.answer(
    status,
    [...usualFields(), ["Content-Type", "application/json"]],
    `${JSON.stringify(body)}\n`,
  );
}

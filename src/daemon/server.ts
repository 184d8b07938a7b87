import { RtError } from "../base/errors.ts";
import { type Listening, refusalOf } from "../base/origin.ts";
import { errorDocument } from "../docker/error-document.ts";
import type { Engine } from "../engine/engine.ts";
import type { Duplex } from "../http/duplex.ts";
import { type HttpExchange, serveConnection } from "../http/server.ts";
import { ApiCall } from "./call.ts";
import { endpointOf } from "./endpoints.ts";
import { ExecEnds } from "./exec-ends.ts";
import { usualFields } from "./fields.ts";
import { Jobs } from "./jobs.ts";
import type { Policy } from "./policy.ts";
import { Router } from "./router.ts";
import { rows } from "./table.ts";

export interface ServerFacts {
  engine: Engine;
  /** What nobody foresaw; the client is told no more than that it happened. */
  onBug: (error: unknown) => void;
  /** How many connections there are from now on. */
  onConnections?: (count: number) => void;
  /** How many there may be of one listener. */
  connectionsMax?: number;
}

/** What the listener says of a connection. */
export interface ConnectionFacts {
  /** What whoever connects there may do; undefined: everything. */
  policy?: Policy | undefined;
  /** Of a port, which pages in a browser reach too. */
  listening?: (Listening & { scheme: "http" | "https" }) | undefined;
}

const headWithin_ms = 30_000;

/** Descriptors are for the clients of other listeners, and for the daemon's own files, too. */
const usualConnectionsMax = 4096;

/** One connection. */
interface Served {
  facts: ConnectionFacts;
  /** What is at work on it. */
  exchange: HttpExchange | undefined;
  follows: boolean;
}

/**
 * Docker's Engine API over an engine. It owns nothing that must live: a connection is a caller of the engine, and goes with its
 * client.
 *
 *   listen.ts -> a Duplex -> http/server.ts: an HttpExchange -> router.ts: a row of table.ts -> routes/<noun>.ts: a ApiCall
 */
export class ApiServer {
  readonly jobs = new Jobs();
  readonly #execEnds = new ExecEnds();
  readonly #facts: ServerFacts;
  readonly #router = new Router(rows);
  readonly #served = new Map<Duplex, Served>();
  /** How many of those are of the listener that says this of them. */
  readonly #counts = new Map<ConnectionFacts, number>();
  #isDraining = false;

  constructor(facts: ServerFacts) {
    this.#facts = facts;
  }

  /** One connection, until it ends. It never throws. */
  async serve(wire: Duplex, facts: ConnectionFacts = {}): Promise<void> {
    if (this.#isDraining || !this.#hasRoom(facts)) return wire.destroy();
    const served: Served = { facts, exchange: undefined, follows: false };
    this.#served.set(wire, served);
    this.#counts.set(facts, this.#countOf(facts) + 1);
    this.#facts.onConnections?.(this.#served.size);
    try {
      await serveConnection({
        wire,
        headWithin_ms,
        handle: (exchange) => this.#handleOf(wire, served, exchange),
        refuse: (exchange, error) => refuse(exchange, error),
      });
    } catch (error) {
      this.#facts.onBug(error);
    } finally {
      this.#forget(wire, facts);
      this.#facts.onConnections?.(this.#served.size);
    }
  }

  /** Where there are too many, the oldest that asks for nothing makes room. */
  #hasRoom(facts: ConnectionFacts): boolean {
    if (this.#countOf(facts) < (this.#facts.connectionsMax ?? usualConnectionsMax)) return true;
    for (const [wire, served] of this.#served) {
      if (served.facts !== facts || served.exchange) continue;
      this.#forget(wire, facts);
      wire.destroy();
      return true;
    }
    return false;
  }

  #countOf(facts: ConnectionFacts): number {
    return this.#counts.get(facts) ?? 0;
  }

  #forget(wire: Duplex, facts: ConnectionFacts): void {
    if (!this.#served.delete(wire)) return;
    const left = this.#countOf(facts) - 1;
    if (left > 0) this.#counts.set(facts, left);
    else this.#counts.delete(facts);
  }

  get connections(): number {
    return this.#served.size;
  }

  /**
   * Nothing new is begun. What follows something is ended as if its client had gone, and what else is at work gets `within_ms`
   * until it is cut off.
   */
  async drain(within_ms: number): Promise<void> {
    this.#isDraining = true;
    for (const [wire, { exchange, follows }] of this.#served) {
      if (!exchange) wire.ended();
      else if (follows) exchange.abandon();
    }
    const deadline = performance.now() + within_ms;
    while (this.#served.size > 0 && performance.now() < deadline) await Bun.sleep(10);
    for (const wire of this.#served.keys()) wire.destroy();
  }

  async #handleOf(wire: Duplex, served: Served, exchange: HttpExchange): Promise<void> {
    served.exchange = exchange;
    try {
      await this.#handle(served, exchange);
    } finally {
      served.exchange = undefined;
      if (this.#isDraining) wire.ended();
    }
  }

  async #handle(served: Served, exchange: HttpExchange): Promise<void> {
    const { method, target } = exchange.head;
    const { policy, listening } = served.facts;
    try {
      if (listening) refuseForeign(exchange, listening);
      const { row, version, params, query, load } = this.#router.find(method, target);
      policy?.checkEndpoint(row);
      served.follows = endpointOf(row)?.follows ?? false;
      using _job = this.jobs.begin(`${row.method} ${row.path}`, target);
      const engine = policy ? policy.guard(this.#facts.engine) : this.#facts.engine;
      const facts = { exchange, engine, version, params, query, jobs: this.jobs, execEnds: this.#execEnds };
      const call = new ApiCall(facts);
      await (await load())(call);
    } catch (error) {
      if (!isForeseen(error) && !exchange.gone.aborted) this.#facts.onBug(error);
      if (exchange.isWaiting) refuse(exchange, error);
    }
  }
}

/** @throws RtError forbidden: a page of somebody else's asks */
function refuseForeign(
  { fields }: HttpExchange,
  { scheme, ...listening }: Listening & { scheme: string },
): void {
  const text = `${scheme}://${fields.get("host") ?? ""}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const why = url
    ? refusalOf({ origin: fields.get("origin"), site: fields.get("sec-fetch-site"), url }, listening)
    : "a request names its host";
  if (why !== undefined) throw new RtError("forbidden", why);
}

/** Damage has a status of its own nowhere, and is no mistake of ours. */
function isForeseen(error: unknown): boolean {
  return error instanceof RtError && error.code !== "internal";
}

function refuse(exchange: HttpExchange, error: unknown): void {
  const { status, body } = errorDocument(error);
  exchange.answer(
    status,
    [...usualFields(), ["Content-Type", "application/json"]],
    `${JSON.stringify(body)}\n`,
  );
}

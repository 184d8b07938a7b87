import { RtError } from "../base/errors.ts";
import { invalid } from "../base/invalid.ts";
import { visible } from "../base/visible.ts";
import { errorDocument } from "../docker/error-document.ts";
import type { Engine } from "../engine/engine.ts";
import type { Session, Streams } from "../engine/session.ts";
import type { Duplex } from "../http/duplex.ts";
import type { BodyWriter, HttpExchange } from "../http/server.ts";
import { clientDocument } from "./document.ts";
import type { ExecEnds } from "./exec-ends.ts";
import { usualFields } from "./fields.ts";
import type { Jobs } from "./jobs.ts";
import { Query } from "./query.ts";
import { type ApiVersion, isAtLeast } from "./version.ts";

/** Of a document that is not a stream: what Docker's own clients send is a few KiB. */
const documentBytesMax = 4 << 20;

export interface ApiCallFacts {
  exchange: HttpExchange;
  /** For whoever has nothing of his own: see `engineFor`. */
  engine: Engine;
  version: ApiVersion;
  /** Of the path, decoded: {name: "web"}. */
  params: Readonly<Record<string, string>>;
  query: string;
  /** What is at work, for whoever asks that. */
  jobs: Jobs;
  /** How what was executed has ended. */
  execEnds: ExecEnds;
}

/**
 * One request of the API, for its handler: what it says, the engine with the client as its caller, and ways to answer. The handler
 * answers once, or throws: then the client is told why, as an error's document, or where an answer has begun at its end.
 */
export class ApiCall {
  readonly exchange: HttpExchange;
  readonly version: ApiVersion;
  readonly query: Query;
  readonly jobs: Jobs;
  readonly execEnds: ExecEnds;
  /** Of what the engine warned its caller. */
  readonly warnings: string[] = [];
  readonly #engine: Engine;
  readonly #params: Readonly<Record<string, string>>;

  constructor({ exchange, engine, version, params, query, jobs, execEnds }: ApiCallFacts) {
    this.exchange = exchange;
    this.version = version;
    this.query = new Query(query);
    this.jobs = jobs;
    this.execEnds = execEnds;
    this.#engine = engine;
    this.#params = params;
  }

  /** A part of the path, as the table calls it. */
  param(name: string): string {
    const value = this.#params[name];
    if (value === undefined) throw new RtError("internal", `the route has no {${name}}`);
    return value;
  }

  since(version: ApiVersion): boolean {
    return isAtLeast(this.version, version);
  }

  /** The engine for this client without streams; it wants no more of anything when the client has gone. */
  get engine(): Engine {
    return this.engineFor({});
  }

  /** The same with what the client has of a caller's: streams, keys to detach with, a size. */
  engineFor(parts: Partial<Session>): Engine {
    return this.#engine.as({
      stdio: nobody,
      terminalSize: () => undefined,
      detachKeys: new Uint8Array(),
      warn: (line) => void this.warnings.push(visible(line)),
      abort: this.exchange.gone,
      ...parts,
    });
  }

  /** What the client sends with the request. */
  get body(): AsyncIterable<Uint8Array> {
    return this.exchange.body;
  }

  /** The document that the client sends; undefined: none. @throws RtError invalid-argument: it is none, or too large */
  async json(): Promise<unknown> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.body) {
      length += piece.length;
      if (length > documentBytesMax)
        throw invalid(`the document is larger than ${documentBytesMax >> 20} MiB`);
      pieces.push(piece);
    }
    const text = Buffer.concat(pieces).toString("utf8").trim();
    this.#checkType(length);
    if (text === "") return undefined;
    return clientDocument(text);
  }

  /** What a page of the web can send without asking is none of these. */
  #checkType(length: number): void {
    const type = this.exchange.fields.get("content-type");
    if (type === undefined && length === 0) return;
    if (type?.split(";")[0]?.trim().toLowerCase() === "application/json") return;
    throw invalid(`unsupported Content-Type header (${visible(type ?? "")}): must be 'application/json'`);
  }

  /** What the client sends with the request is nothing to us, as dockerode's of an attach; what follows it may be. */
  async skipBody(): Promise<void> {
    let length = 0;
    for await (const piece of this.body) {
      length += piece.length;
      if (length > documentBytesMax) throw invalid("the request has a body that it should not have");
    }
  }

  /** @param document undefined: none, as of a 204 or a 304 */
  answer(status: number, document?: unknown): void {
    if (document === undefined) this.exchange.answer(status, usualFields());
    else this.answerJson(status, JSON.stringify(document));
  }

  /** The same of a document that is text already. */
  answerJson(status: number, text: string): void {
    // Go's client compares the type whole.
    this.exchange.answer(status, [...usualFields(), ["Content-Type", "application/json"]], `${text}\n`);
  }

  fail(error: unknown): void {
    const { status, body } = errorDocument(error);
    this.answer(status, body);
  }

  /** An answer whose end is not known yet; its head is sent at once. */
  stream(contentType: string, status = 200): BodyWriter {
    return this.exchange.stream(status, [...usualFields(), ["Content-Type", contentType]]);
  }

  /** The connection is the handler's from here on, in both directions; it destroys it in the end. */
  hijack(contentType: string): Duplex {
    return this.exchange.hijack([["Content-Type", contentType]]);
  }
}

/** Of a caller who has no streams: what would be written to him goes nowhere. */
const nobody: Streams = { kind: "streams", output: () => undefined };

/**
 * The API's server in this process, over an engine with directories of its own (host.ts), on a Unix socket beside them.
 *
 *   await using api = await apiHost();
 *   const { status, json } = await api.request("POST", "/v1.51/containers/create?name=web", { Image: "embed:hello" });
 *
 * `api.host.rt([…])` is the command line beside it, on the same directories.
 */
import { join } from "node:path";
import { type Listener, listenUnix } from "../../src/daemon/listen.ts";
import { ApiServer } from "../../src/daemon/server.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openLocal } from "../../src/engine/local.ts";
import { type Answered, ask } from "../../src/http/client.ts";
import type { Duplex } from "../../src/http/duplex.ts";
import type { HeaderFields } from "../../src/http/head.ts";
import { connectDuplex } from "../../src/http/socket.ts";
import { type TestHost, testHost } from "./host.ts";
import { testSession } from "./session.ts";

/** A document is sent as JSON; bytes as they are, and pieces in chunks. */
type ApiBody = Uint8Array | AsyncIterable<Uint8Array> | object | undefined;

export interface ApiAnswer {
  status: number;
  fields: HeaderFields;
  text: string;
  /** Of an answer that is one document; undefined of another, as of a stream of lines. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect, and fail where it is not there
  json: any;
}

export interface ApiHost extends AsyncDisposable {
  readonly host: TestHost;
  readonly engine: Engine;
  readonly server: ApiServer;
  /** Of the socket. */
  readonly path: string;
  /** "unix://…", for clients. */
  readonly address: string;
  /** On a connection of its own, to the answer's end. */
  request(
    method: string,
    target: string,
    body?: ApiBody,
    fields?: Record<string, string>,
  ): Promise<ApiAnswer>;
  /** The same up to the answer's head; whoever asks destroys the wire. */
  open(method: string, target: string, body?: ApiBody, fields?: Record<string, string>): Promise<Answered>;
  /** A connection, for whoever writes what stands on it. */
  connect(): Promise<Duplex>;
  /** What the server says nobody foresaw; a test that ends with some has failed. */
  readonly bugs: unknown[];
}

export async function apiHost(): Promise<ApiHost> {
  await using undo = new AsyncDisposableStack();
  const host = undo.use(await testHost());
  const { root, state, env } = host;
  const engine = undo.use(await openLocal(testSession(), { root, state, env }));
  const bugs: unknown[] = [];
  undo.defer(() => {
    if (bugs.length > 0) throw new AggregateError(bugs, "the server had what nobody foresaw");
  });
  const server = new ApiServer({ engine, onBug: (error) => void bugs.push(error) });
  const path = join(host.dir, "api.sock");
  const listener: Listener = await listenUnix(path, (wire) => void server.serve(wire));
  undo.defer(() => listener.stop());
  const connect = () => connectDuplex({ unix: path });
  const open: ApiHost["open"] = async (method, target, body, fields = {}) =>
    ask(await connect(), { method, target, ...sent(body, fields) });
  const stack = undo.move();
  return {
    ...{ host, engine, server, path, address: listener.address, connect, open, bugs },
    async request(method, target, body, fields) {
      const answered = await open(method, target, body, fields);
      try {
        return await answerOf(answered);
      } finally {
        answered.wire.destroy();
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function sent(body: ApiBody, fields: Record<string, string>) {
  const isRaw = body === undefined || body instanceof Uint8Array || Symbol.asyncIterator in body;
  const type: [string, string][] = isRaw ? [] : [["Content-Type", "application/json"]];
  const bytes = isRaw ? (body as Uint8Array | undefined) : Buffer.from(JSON.stringify(body));
  return { fields: [["Host", "rt"] as const, ...type, ...Object.entries(fields)], body: bytes };
}

async function answerOf({ status, fields, body }: Answered): Promise<ApiAnswer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const text = Buffer.concat(pieces).toString("utf8");
  // A stream of lines has the same type.
  const isDocument = fields.get("content-type") === "application/json" && /^[^\n]+\n?$/.test(text);
  return { status, fields, text, json: isDocument ? JSON.parse(text) : undefined };
}

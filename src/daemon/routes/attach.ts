import { parseDetachKeys } from "../../base/detach-keys.ts";
import { RtError } from "../../base/errors.ts";
import { invalid } from "../../base/invalid.ts";
import type { Engine } from "../../engine/engine.ts";
import { hasWord } from "../../http/head.ts";
import { webSocketAccept, webSocketClose, webSocketInput, webSocketMessage } from "../../http/websocket.ts";
import type { ApiCall } from "../call.ts";
import { usualFields } from "../fields.ts";
import {
  endGently,
  Hijack,
  hasTerminal,
  hijackType,
  outputTo,
  readsApart,
  type WantedStreams,
} from "../streams.ts";

/** POST /containers/{name}/attach */
export async function postContainerAttach(call: ApiCall): Promise<void> {
  const detachKeys = detachKeysIn(call);
  const name = call.param("name");
  await call.skipBody();
  const wanted = streamsIn(call);
  using hijack = new Hijack((tty) => call.hijack(hijackType(call, tty)), wanted);
  const engine = call.engineFor({ stdio: hijack.streams, detachKeys });
  const isJoined = call.query.flag("stream");
  if (call.query.flag("logs")) {
    const tty = await hasTerminal(call, name);
    const { follow, timestamps, details } = { follow: false, timestamps: false, details: false };
    await engine.container.logs(name, { follow, timestamps, details, onReading: () => hijack.begin(tty) });
  } else if (!isJoined) {
    hijack.begin(await hasTerminal(call, name));
  }
  if (isJoined) await attachTo(engine, name, wanted, hijack);
  await hijack.end();
}

async function attachTo(engine: Engine, name: string, wanted: WantedStreams, hijack: Hijack): Promise<void> {
  try {
    await engine.container.attach(
      name,
      attachOptions(wanted, (tty) => hijack.begin(tty)),
    );
  } catch (error) {
    // Why it could not be started is told to who started it; here all that is left to say is that it is over.
    if (!hijack.hasBegun || !(error instanceof RtError)) throw error;
  }
}

/** A container that does not run is waited for; who has attached to it before its start has all of its output. */
function attachOptions({ stdin }: WantedStreams, onAttached: (tty: boolean) => void) {
  return { ahead: true, sigProxy: false, noStdin: !stdin, onAttached };
}

/** GET /containers/{name}/attach/ws */
export async function getContainerAttachWs(call: ApiCall): Promise<void> {
  const detachKeys = detachKeysIn(call);
  const accept = webSocketAccept(webSocketKey(call));
  const wanted = streamsIn(call);
  // Binary since 1.28: text would have to be UTF-8.
  const kind = call.since("1.28") ? "binary" : "text";
  const begun = Promise.withResolvers<ReturnType<typeof begin>>();
  const begin = () => call.exchange.hijack([...usualFields(), ["Sec-WebSocket-Accept", accept]]);
  const output = outputTo(call, (stream, bytes) => {
    if (!wanted[stream]) return undefined;
    return begun.promise.then((wire) => wire.write(webSocketMessage(bytes, kind)));
  });
  async function* input() {
    yield* webSocketInput(await begun.promise);
  }
  const stdio = wanted.stdin ? { ...output, stdin: input() } : output;
  const engine = call.engineFor({ stdio, detachKeys });
  await engine.container.attach(
    call.param("name"),
    attachOptions(wanted, () => begun.resolve(begin())),
  );
  const wire = await begun.promise;
  void wire.write(webSocketClose(1000));
  await endGently(wire);
}

/** @throws RtError invalid-argument: the client wants something else */
function webSocketKey(call: ApiCall): string {
  const { fields } = call.exchange;
  const key = fields.get("sec-websocket-key");
  const isAsked = hasWord(fields, "connection", "upgrade") && hasWord(fields, "upgrade", "websocket");
  if (isAsked && fields.get("sec-websocket-version") === "13" && key !== undefined) return key;
  throw new RtError("invalid-argument", "that is no handshake of a WebSocket of version 13");
}

function streamsIn(call: ApiCall): WantedStreams {
  const { query } = call;
  const [stdin, stdout, stderr] = [query.flag("stdin"), query.flag("stdout"), query.flag("stderr")];
  return { stdin, stdout, stderr, isApart: readsApart(call) };
}

/** Those that everybody has unless it says otherwise. */
function detachKeysIn({ query }: ApiCall): Uint8Array {
  const text = query.text("detachKeys");
  try {
    return parseDetachKeys(text === "" ? undefined : text, "detachKeys");
  } catch {
    throw invalid(`Invalid detach keys (${text}) provided`);
  }
}

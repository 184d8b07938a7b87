/** The engine behind rt's own API: its server is in this process, over the engine in this process. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { listenUnix } from "../../../src/daemon/listen.ts";
import { ApiServer } from "../../../src/daemon/server.ts";
import { openLocal } from "../../../src/engine/local.ts";
import { connectDuplex } from "../../../src/http/socket.ts";
import { openRemote } from "../../../src/remote/remote.ts";
import { mountPoints, processesMentioning } from "../../support/leaks.ts";
import { needs } from "../../support/root.ts";
import { scratchDirectory } from "../../support/scratch.ts";
import { testSession } from "../../support/session.ts";
import { until } from "../../support/wait.ts";
import type { EngineUnderTest } from "./callers.ts";
import { engineContract } from "./engine.ts";

async function remote(): Promise<EngineUnderTest> {
  await using undo = new AsyncDisposableStack();
  const directory = mkdtempSync(join(scratchDirectory(), "rt-engine-"));
  undo.defer(async () => {
    const isMounted = () => mountPoints().some((at) => at.includes(directory));
    await until("nothing runs any more", () => processesMentioning(directory).length === 0 && !isMounted());
    rmSync(directory, { recursive: true, force: true });
  });
  const places = { root: join(directory, "root"), state: join(directory, "state") };
  const local = undo.use(await openLocal(testSession(), { ...places, env: { HOME: directory } }));
  const bugs: unknown[] = [];
  undo.defer(() => {
    if (bugs.length > 0) throw new AggregateError(bugs, "the server had what nobody foresaw");
  });
  const server = new ApiServer({ engine: local, onBug: (error) => void bugs.push(error) });
  const path = join(directory, "api.sock");
  const listener = await listenUnix(path, (wire) => void server.serve(wire));
  undo.defer(() => listener.stop());
  const stack = undo.move();
  return {
    async open(session) {
      const engine = async () => local.as(session);
      const dial = () => connectDuplex({ unix: path });
      return openRemote(session, { dial, address: `unix://${path}`, engine });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

engineContract(remote, needs({ root: true }).test);

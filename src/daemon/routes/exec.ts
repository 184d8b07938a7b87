import { parseDetachKeys } from "../../base/detach-keys.ts";
import { RtError } from "../../base/errors.ts";
import { parseExecCreate, parseExecStart } from "../../docker/exec-requests.ts";
import type { ApiCall } from "../call.ts";
import { Hijack, hijackType, readsApart } from "../streams.ts";
import { sizeIn } from "../window-size.ts";
import { startFailure } from "./container-life.ts";

/** POST /containers/{name}/exec */
export async function postContainerExec(call: ApiCall): Promise<void> {
  const { detachKeys, ...wanted } = parseExecCreate(await call.json());
  const keys = detachKeys === "" ? undefined : parseDetachKeys(detachKeys, "DetachKeys");
  const Id = await call.engine.exec.create({
    ...{ container: call.param("name"), detach: false },
    ...wanted,
    ...(keys && { detachKeys: Buffer.from(keys).toString("base64") }),
  });
  call.answer(201, { Id });
}

/** POST /exec/{id}/start */
export async function postExecStart(call: ApiCall): Promise<void> {
  const id = call.param("id");
  const { detach, tty, consoleSize } = parseExecStart(await call.json());
  if (consoleSize) await call.engine.exec.resize(id, consoleSize);
  if (detach) return startDetached(call, id);
  const before = await call.engine.exec.inspect(id);
  const { OpenStdin, OpenStdout, OpenStderr } = before;
  const wanted = { stdin: OpenStdin, stdout: OpenStdout, stderr: OpenStderr, isApart: readsApart(call) };
  using hijack = new Hijack(() => call.hijack(hijackType(call, tty)), wanted);
  const engine = call.engineFor({ stdio: hijack.streams, detachKeys: parseDetachKeys(undefined) });
  try {
    const onStarted = () => hijack.begin(tty);
    const exitCode = await engine.exec.start(id, { detach, sigProxy: false, onStarted });
    // Before its client sees the end of its output, and asks.
    await call.execEnds.note(call.engine, before, exitCode);
  } catch (error) {
    if (!hijack.hasBegun || !(error instanceof RtError) || error.code === "cancelled") throw error;
    // Nothing but the stream is left to say it on.
    void hijack.write("stdout", Buffer.from(`${error.message}\r\n`));
  }
  await hijack.end();
}

async function startDetached(call: ApiCall, id: string): Promise<void> {
  try {
    await call.engine.exec.start(id, { detach: true });
  } catch (error) {
    throw startFailure(error);
  }
  call.answer(200);
}

/** POST /exec/{id}/resize */
export async function postExecResize(call: ApiCall): Promise<void> {
  await call.engine.exec.resize(call.param("id"), sizeIn(call.query));
  call.answer(200);
}

/** GET /exec/{id}/json */
export async function getExec(call: ApiCall): Promise<void> {
  call.answer(200, await call.execEnds.inspect(call.engine, call.param("id")));
}

import { RtError } from "../../base/errors.ts";
import { invalid, quote } from "../../base/invalid.ts";
import { parseSignal } from "../../base/signals.ts";
import type { StopOptions } from "../../engine/container/stop.ts";
import type { WaitCondition } from "../../engine/container/wait.ts";
import type { ApiCall } from "../call.ts";

/** POST /containers/{name}/start */
export async function postContainerStart(call: ApiCall): Promise<void> {
  await refuseStartBody(call);
  let status = 204;
  const onUnchanged = () => {
    status = 304;
  };
  const options = { attach: false, stdin: false, sigProxy: false, onUnchanged };
  try {
    await call.engine.container.start(call.param("name"), options);
  } catch (error) {
    throw startFailure(error);
  }
  call.answer(status);
}

/** Docker took a host's configuration there once; "{}" and "null" are what clients send who mean nothing. */
async function refuseStartBody(call: ApiCall): Promise<void> {
  let length = 0;
  for await (const piece of call.body) {
    length += piece.length;
    if (length > 7)
      throw invalid(
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
      );
  }
}

/** That a program is not there, or cannot be executed, is a mistake of who asked for it. */
export function startFailure(error: unknown): unknown {
  if (!(error instanceof RtError) || (error.exitCode !== 126 && error.exitCode !== 127)) return error;
  return new RtError("invalid-argument", error.message, { cause: error, exitCode: error.exitCode });
}

/** POST /containers/{name}/stop */
export async function postContainerStop(call: ApiCall): Promise<void> {
  let status = 204;
  const onUnchanged = () => {
    status = 304;
  };
  await call.engine.container.stop(call.param("name"), { ...stopOptions(call), onUnchanged });
  call.answer(status);
}

/** POST /containers/{name}/restart */
export async function postContainerRestart(call: ApiCall): Promise<void> {
  const options = stopOptions(call);
  try {
    await call.engine.container.restart(call.param("name"), options);
  } catch (error) {
    throw startFailure(error);
  }
  call.answer(204);
}

function stopOptions(call: ApiCall): StopOptions {
  const signal = call.since("1.42") ? call.query.text("signal") : "";
  const timeout_s = call.query.integer("t");
  return {
    ...(signal !== "" && { signal: parseSignal(signal).name }),
    ...(timeout_s !== undefined && { timeout_s }),
  };
}

/** POST /containers/{name}/kill */
export async function postContainerKill(call: ApiCall): Promise<void> {
  await call.engine.container.kill(call.param("name"), call.query.text("signal") || "KILL");
  call.answer(204);
}

/** POST /containers/{name}/pause */
export async function postContainerPause(call: ApiCall): Promise<void> {
  await call.engine.container.pause(call.param("name"));
  call.answer(204);
}

/** POST /containers/{name}/unpause */
export async function postContainerUnpause(call: ApiCall): Promise<void> {
  await call.engine.container.unpause(call.param("name"));
  call.answer(204);
}

const conditions: readonly string[] = ["not-running", "next-exit", "removed"] satisfies WaitCondition[];

/**
 * POST /containers/{name}/wait
 *
 * Docker's client waits for the head of the answer before it goes on to start the container: it says that we wait.
 */
export async function postContainerWait(call: ApiCall): Promise<void> {
  // Older clients have no conditions, and want the status of the answer to be that of the waiting.
  const isClassic = !call.since("1.30");
  const condition = (isClassic ? "" : call.query.text("condition")) || "not-running";
  if (!conditions.includes(condition)) throw invalid(`invalid condition: ${quote(condition)}`);
  let body: ReturnType<ApiCall["stream"]> | undefined;
  const onWaiting = () => {
    if (!isClassic) body = call.stream("application/json");
  };
  const options = { condition: condition as WaitCondition, onWaiting };
  let answer: object;
  try {
    answer = { StatusCode: await call.engine.container.wait(call.param("name"), options) };
  } catch (error) {
    if (!body) throw error;
    if (!(error instanceof RtError)) throw error;
    answer = { StatusCode: -1, Error: { Message: error.message } };
  }
  if (!body) return call.answer(200, answer);
  await body.write(Buffer.from(`${JSON.stringify(answer)}\n`));
  body.end();
}

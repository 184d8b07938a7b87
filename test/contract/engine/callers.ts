import { RtError } from "../../../src/base/errors.ts";
import RunCommand from "../../../src/cli/container/run.ts";
import { runOptions } from "../../../src/cli/container/run-options.ts";
import { readCommand } from "../../../src/cli/grammar/read.ts";
import type { ExecOptions } from "../../../src/engine/container/exec-options.ts";
import type { RunOptions } from "../../../src/engine/container/run-options.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { Streams } from "../../../src/engine/session.ts";
import { type TestSession, testSession } from "../../support/session.ts";
import { until } from "../../support/wait.ts";
import { capture } from "../../unit/cli/capture.ts";

export interface EngineUnderTest extends AsyncDisposable {
  /** An engine for this caller, on a store that only this test has. */
  open(session: TestSession): Promise<Engine>;
}

export type Test = (name: string, body: () => Promise<unknown>) => void;

export const image = "embed:hello";

/** What `rt run ARGV` asks of an engine. */
export function options(...argv: string[]): RunOptions {
  const context = capture();
  return runOptions(readCommand(RunCommand, argv, { path: "run", context })!, context.caller, undefined);
}

export function execOptions(
  container: string,
  command: string[],
  more: Partial<ExecOptions> = {},
): ExecOptions {
  return {
    ...{ container, command, openStdin: false, tty: false, detach: false },
    ...{ env: [], workingDirectory: "", user: "", privileged: false },
    ...more,
  };
}

export async function failure(promise: Promise<unknown>): Promise<RtError> {
  const error = await promise.then(
    (value) => new Error(`it did not fail, and answered ${JSON.stringify(value)}`),
    (caught: unknown) => caught,
  );
  if (error instanceof RtError) return error;
  throw error;
}

/** A caller with `input` for its program, and a way to see what comes back. */
export function talking(input: AsyncIterable<Uint8Array>, more: Partial<Streams> = {}): TestSession {
  const session = testSession();
  return { ...session, stdio: { ...(session.stdio as Streams), stdin: input, ...more } };
}

export async function* said(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

export async function running(engine: Engine, name: string): Promise<void> {
  const filters = { name: [name] };
  await until(`${name} runs`, async () =>
    (await engine.container.list({ all: false, filters })).some(({ state }) => state === "running"),
  );
}

/** Until disposed of: a container `name` that waits for signals. */
export async function waiting(
  engine: Engine,
  name: string,
): Promise<AsyncDisposable & { ended: Promise<number> }> {
  const ended = engine
    .as(testSession())
    .container.run(options("--rm", "--name", name, image, "sleep", "600"));
  await Promise.race([running(engine, name), ended]);
  return {
    ended,
    async [Symbol.asyncDispose]() {
      await engine.container.remove(name, { force: true, volumes: false }).catch(() => undefined);
      await ended;
    },
  };
}

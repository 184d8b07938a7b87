import { environmentOf } from "../../../src/base/environment.ts";
import type { Context } from "../../../src/cli/command.ts";
import { openEngine } from "../../../src/cli/engine.ts";
import type { Output } from "../../../src/cli/output/output.ts";

/** An output that remembers; a terminal of the given size, or none. */
export class CapturedOutput implements Output {
  text = "";
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;

  constructor(terminal?: { columns: number; rows: number }) {
    this.isTerminal = terminal !== undefined;
    this.columns = terminal?.columns ?? 80;
    this.rows = terminal?.rows ?? 24;
  }
  write(text: string): void {
    this.text += text;
  }
}

export interface Captured extends Context {
  stdout: CapturedOutput;
  stderr: CapturedOutput;
}

export function capture(env: NodeJS.ProcessEnv = {}): Captured {
  return {
    env,
    caller: environmentOf(env),
    stdout: new CapturedOutput(),
    stderr: new CapturedOutput(),
    program: "rt",
    openEngine,
  };
}
